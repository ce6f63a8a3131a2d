"""The area codes of the United States, Canada and Puerto Rico, with their states and larger cities.

Cut from the geographic data of the library phonenumbers (libphonenumber, Apache-2.0), which takes seconds and a
hundred megabytes to load whole. An area code that lies over others (an overlay) is known with its state only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

# A state a line: postal code, name, then area codes with their cities.
_UNITED_STATES = """\
AK Alaska: 907 Anchorage, Fairbanks, Juneau, Wasilla
AL Alabama: 205 Birmingham, Tuscaloosa, Bessemer, Jasper; 251 Mobile, Foley; 256 Huntsville, Florence, Decatur,
  Anniston, Gadsden, Athens, Madison; 334 Montgomery, Dothan, Auburn, Opelika, Phenix City, Prattville; 659 938
AR Arkansas: 327; 479 Fort Smith, Fayetteville, Rogers, Springdale, Bentonville, Russellville; 501 Little Rock, Hot
  Springs, Conway, Benton, N Little Rock, Searcy; 870 Jonesboro, Pine Bluff, El Dorado, Paragould, Camden,
  Batesville, Mountain Home
AZ Arizona: 480 Scottsdale, Mesa, Tempe, Chandler, Apache Junction; 520 Tucson, Sierra Vista, Casa Grande, Nogales;
  602 623 Phoenix, Glendale; 928 Flagstaff, Prescott, Yuma, Lake Havasu City, Kingman, Sedona, Bullhead City
CA California: 209 Stockton, Modesto, Tracy, Lodi, Merced, Turlock, Manteca; 213 Los Angeles; 279 341 350 369 424
  442 628 657 669 738 747 820 840; 310 Los Angeles, Santa Monica, Torrance, Beverly Hills, Compton, Gardena,
  Hawthorne; 323 Los Angeles, South Gate; 408 San Jose, Santa Clara, Sunnyvale, Milpitas, Campbell, Cupertino, Los
  Gatos; 415 San Francisco, San Rafael, Novato, Mill Valley, Sausalito; 510 Oakland, Fremont, Hayward, Berkeley,
  Richmond, San Leandro, Alameda; 530 Redding, Chico, Davis, Yuba City, South Lake Tahoe, Grass Valley, Placerville;
  559 Fresno, Visalia, Hanford, Clovis, Madera, Porterville, Tulare; 562 Long Beach, Whittier, Downey, Paramount,
  Bellflower, La Habra, Santa Fe Springs; 619 San Diego, Chula Vista, El Cajon, La Mesa, Santee; 626 Pasadena,
  Alhambra, Covina, El Monte, Arcadia, Monrovia, Glendora; 650 Redwood City, San Mateo, Mountain View, Palo Alto,
  Daly City, San Carlos, Los Altos; 661 Bakersfield, Lancaster, Palmdale, Santa Clarita, Valencia; 707 Santa Rosa,
  Vallejo, Fairfield, Napa, Petaluma, Vacaville, Eureka; 714 Anaheim, Orange, Santa Ana, Huntington Beach,
  Fullerton, Tustin, Buena Park; 760 Escondido, Vista, Carlsbad, Palm Desert, Encinitas, Oceanside, Palm Springs;
  805 Santa Barbara, Ventura, Oxnard, Thousand Oaks, San Luis Obispo, Simi Valley, Santa Maria; 818 Glendale,
  Burbank, Van Nuys, North Hollywood, Calabasas, Sun Valley, Sylmar; 831 Salinas, Santa Cruz, Monterey, Watsonville,
  Carmel, Hollister, Scotts Valley; 858 San Diego, La Jolla, Poway; 909 San Bernardino, Rancho Cucamonga, Ontario,
  Fontana, Chino, Upland, Pomona; 916 Sacramento, Roseville, Folsom, West Sacramento, Citrus Heights, Elk Grove,
  Rancho Cordova; 925 Walnut Creek, Concord, Pleasanton, Livermore, Antioch, San Ramon, Dublin; 949 Irvine, Newport
  Beach, Costa Mesa, San Clemente, Laguna Beach; 951 Riverside, Corona, Temecula, Moreno Valley, Murrieta, Hemet,
  Perris
CO Colorado: 303 Denver, Aurora, Lakewood, Boulder, Littleton, Golden, Longmont; 719 Colorado Springs, Pueblo; 720
  Denver, Aurora; 748 983; 970 Fort Collins, Grand Junction, Greeley, Loveland, Durango, Glenwood Springs, Aspen
CT Connecticut: 203 Stamford, Bridgeport, New Haven, Waterbury, Norwalk, Danbury, Greenwich; 475 959; 860 Hartford,
  West Hartford, New Britain, Middletown, Manchester, Enfield, East Hartford
DC Washington D.C.: 202 771
DE Delaware: 302 Wilmington, Newark, New Castle, Dover
FL Florida: 239 Naples, Fort Myers, Cape Coral, Bonita Springs; 305 Miami, Hialeah, Miami Beach, Homestead, Key
  West, North Miami, Doral; 321 Melbourne, Titusville, Merritt Island, Cocoa, Cocoa Beach; 324 448 645 656 689 754;
  352 Gainesville, Ocala, Leesburg, Spring Hill, Clermont, Brooksville, Inverness; 386 Daytona Beach, Palm Coast,
  New Smyrna Beach, Ormond Beach, DeLand, Lake City, Palatka; 407 Orlando, Kissimmee, Winter Park, Sanford, Oviedo,
  Apopka, Lake Mary; 561 Boca Raton, West Palm Beach, Delray Beach, Boynton Beach, Jupiter; 727 St. Petersburg,
  Clearwater, Largo, Palm Harbor, Tarpon Springs, Hudson, New Port Richey; 728 Palm Beach; 772 Port St. Lucie, Vero
  Beach, Fort Pierce, Stuart, Jensen Beach, Sebastian; 786 Miami; 813 Tampa, Brandon, Plant City, Zephyrhills,
  Riverview, Wesley Chapel; 850 Pensacola, Tallahassee, Panama City, Fort Walton Bch, Destin, Crestview, Milton; 863
  Lakeland, Winter Haven, Sebring, Okeechobee; 904 Jacksonville, St. Augustine, Orange Park, Fernandina Beach; 941
  Sarasota, Bradenton, Venice, Port Charlotte, Punta Gorda, North Port, Englewood; 954 Fort Lauderdale, Hollywood,
  Deerfield Beach, Pompano Beach, Sunrise, Coral Springs, Pembroke Pines
GA Georgia: 229 Albany, Valdosta, Tifton, Thomasville; 404 Atlanta, Decatur; 470 762 943; 478 Macon, Warner Robins,
  Milledgeville, Dublin; 678 Lawrenceville, Alpharetta, Cumming, Duluth, Atlanta; 706 Columbus, Augusta, Athens,
  Dalton, Rome, LaGrange, Ellijay; 770 Marietta, Atlanta, Alpharetta, Norcross, Gainesville, Conyers, Roswell; 912
  Savannah, Brunswick, Statesboro, Waycross, Hinesville
HI Hawaii: 808 Honolulu, Aiea, Hilo, Kaneohe, Kailua-Kona, Wailuku, Kailua
IA Iowa: 319 Cedar Rapids, Iowa City, Waterloo, Cedar Falls, Burlington; 515 Des Moines, West Des Moines, Ames,
  Ankeny, Fort Dodge; 563 Davenport, Dubuque; 641 Mason City; 712 Sioux City, Council Bluffs
ID Idaho: 208 Boise, Idaho Falls, Pocatello, Nampa, Twin Falls, Meridian, Coeur d'Alene; 986
IL Illinois: 217 Springfield, Decatur, Champaign, Urbana, Danville, Quincy; 224 331 447 464 730 779; 309 Peoria,
  Bloomington, Moline, Normal, Galesburg, Rock Island; 312 773 872 Chicago; 618 Belleville, Granite City, East St.
  Louis, Edwardsville, Carbondale, Collinsville, Alton; 630 Aurora, Naperville, Elmhurst, Bensenville, Oak Brook,
  Bolingbrook, Wheaton; 708 Oak Park, Orland Park, Tinley Park, Cicero, Berwyn, Calumet City, Oak Lawn; 815
  Rockford, Joliet, Crystal Lake, Plainfield, McHenry, DeKalb, Woodstock; 847 Schaumburg, Elgin, Skokie, Evanston,
  Northbrook, Waukegan, Des Plaines
IN Indiana: 219 Gary, Valparaiso, Hammond, Merrillville, Crown Point, La Porte, Michigan City; 260 Fort Wayne,
  Huntington; 317 Indianapolis, Carmel, Greenwood, Noblesville, Greenfield; 463 930; 574 South Bend, Elkhart,
  Mishawaka, Goshen, Warsaw; 765 Lafayette, Kokomo, Muncie, Anderson, Marion, Richmond, West Lafayette; 812
  Evansville, Bloomington, Terre Haute, Jeffersonville, Columbus, New Albany, Bedford
KS Kansas: 316 Wichita; 620 Hutchinson, Pittsburg, Garden City, Emporia; 785 Topeka, Lawrence, Salina, Manhattan,
  Hays; 913 Kansas City, Olathe, Overland Park, Leavenworth
KY Kentucky: 270 Bowling Green, Owensboro, Elizabethtown, Paducah, Glasgow, Hopkinsville, Murray; 364; 502
  Louisville, Frankfort, Bardstown, Georgetown; 606 Ashland, London, Somerset, Pikeville, Corbin, Hazard; 859
  Lexington, Florence, Danville, Richmond
LA Louisiana: 225 Baton Rouge, Denham Springs, Prairieville; 318 Shreveport, Monroe, Alexandria, Bossier City,
  Natchitoches; 337 Lafayette, Lake Charles, New Iberia, Sulphur, Leesville; 504 New Orleans, Metairie, Kenner,
  Marrero, Chalmette; 985 Houma, Covington, Slidell, Hammond, Thibodaux, Mandeville
MA Massachusetts: 339 351 774 857; 413 Springfield, Holyoke, Pittsfield, Amherst, Northampton, Westfield, Chicopee;
  508 Worcester, Brockton, Fall River, New Bedford, Framingham, Marlborough, Taunton; 617 Boston, Cambridge, Quincy,
  Newton, Somerville, Brookline, Everett; 781 Waltham, Lynn, Woburn, Burlington, Lexington, Malden, Dedham; 978
  Lowell, Beverly, Salem, Peabody, Danvers, Haverhill, Lawrence
MD Maryland: 227 240 667; 301 Bethesda, Silver Spring, Gaithersburg, Rockville, Frederick, Hagerstown, Laurel; 410
  Baltimore, Annapolis, Columbia, Salisbury, Glen Burnie, Ellicott City, Westminster; 443 Baltimore
ME Maine: 207 Portland, Bangor, Augusta, Lewiston, Brunswick, Biddeford, Waterville
MI Michigan: 231 Muskegon, Traverse City, Petoskey; 248 Southfield, Troy, Waterford Township, Novi, Pontiac,
  Farmington Hills, Rochester Hills; 269 Kalamazoo, Battle Creek, Portage, St. Joseph, Benton Harbor, Three Rivers;
  313 Detroit, Dearborn, Taylor, Redford Charter Township; 517 Lansing, Jackson, East Lansing, Howell, Adrian; 586
  Warren, Sterling Heights, Clinton Twp; 616 Grand Rapids, Holland, Grand Haven; 734 Ann Arbor, Livonia, Ypsilanti,
  Monroe, Canton, Taylor; 810 Flint, Brighton, Port Huron, Flint Township, Burton; 906 Marquette; 947; 989 Saginaw,
  Bay City, Midland, Mount Pleasant
MN Minnesota: 218 Duluth, Brainerd, Moorhead, Bemidji; 320 Saint Cloud, Willmar; 507 Rochester, Mankato, Winona,
  Owatonna; 612 Minneapolis; 651 Saint Paul, Stillwater, Eagan; 763 Elk River, Maple Grove; 952 Burnsville, Eden
  Prairie, Shakopee, Chaska
MO Missouri: 235 557 975; 314 St. Louis, Florissant; 417 Springfield, Joplin, Branson; 573 Columbia, Jefferson City,
  Cape Girardeau, Rolla, Poplar Bluff, Hannibal, Farmington; 636 St. Charles, O'Fallon, Fenton, Chesterfield, St.
  Peters, Wentzville; 660 Kirksville; 816 Kansas City, Independence, St. Joseph, Lee's Summit, Blue Springs, Belton,
  Raytown
MS Mississippi: 228 Gulfport, Biloxi, Pascagoula; 601 Jackson, Hattiesburg, Meridian, Vicksburg, Natchez, Laurel,
  Brandon; 662 Tupelo, Columbus, Southaven, Oxford, Greenville; 769 Jackson
MT Montana: 406 Billings, Bozeman, Missoula, Helena, Kalispell, Great Falls
NC North Carolina: 252 Greenville, New Bern, Rocky Mount, Wilson, Kinston, Morehead City, Henderson; 336 Greensboro,
  Winston-Salem, High Point, Burlington, Lexington, Asheboro, North Wilkesboro; 472 743 984; 704 Charlotte, Concord,
  Gastonia, Monroe, Salisbury, Statesville, Shelby; 828 Asheville, Hickory, Hendersonville, Morganton, Boone,
  Lenoir, Brevard; 910 Wilmington, Fayetteville, Jacksonville, Lumberton, Pinehurst, Southern Pines, Clinton; 919
  Raleigh, Durham, Chapel Hill, Cary, Goldsboro, Sanford, Apex; 980 Charlotte
ND North Dakota: 701 Fargo, Bismarck, Grand Forks, Minot, Dickinson, Jamestown
NE Nebraska: 308 Grand Island, Kearney, North Platte, Scottsbluff; 402 Omaha, Lincoln, Norfolk; 531
NH New Hampshire: 603 Manchester, Nashua, Concord, Portsmouth, Dover, Salem, Keene
NJ New Jersey: 201 Jersey City, Hackensack, Fort Lee, Teaneck, Fair Lawn, Bayonne, Englewood; 551 640 848 862; 609
  Trenton, Princeton, Atlantic City, Ewing Township; 732 Toms River, Edison, Brick, East Brunswick, Lakewood
  Township, Eatontown, Long Branch; 856 Cherry Hill, Camden, Vineland, Marlton, Millville, Bridgeton; 908 Elizabeth,
  Union, Hillsborough Township, Flemington, Cranford, Linden, Hackettstown; 973 Newark, Paterson, Morristown, East
  Orange, Wayne, Livingston, Fairfield
NM New Mexico: 505 Albuquerque, Santa Fe, Farmington, Rio Rancho; 575 Las Cruces, Hobbs, Roswell, Clovis, Carlsbad,
  Alamogordo
NV Nevada: 702 Las Vegas, Henderson, North Las Vegas; 725; 775 Reno, Sparks, Carson City, Elko
NY New York: 212 332 646 New York; 315 Syracuse, Utica, Rome, Liverpool, Watertown, Auburn; 329 363 680 838 917 929
  934; 347 Brooklyn, Bronx; 516 Valley Stream, Great Neck, Farmingdale, Westbury, Massapequa, Syosset, Manhasset;
  518 Albany, Schenectady, Troy, Saratoga Springs, Latham, Plattsburgh, Clifton Park; 585 Rochester, Fairport,
  Webster; 607 Binghamton, Ithaca, Endicott, Elmira; 631 Deer Park, Bay Shore, Lindenhurst, Farmingdale, Amityville,
  Commack, Southampton; 716 Buffalo, Niagara Falls, Jamestown, Lockport, Hamburg, North Tonawanda; 718 Brooklyn,
  Bronx, Staten Island, Jamaica, Flushing, Long Island City, Far Rockaway; 845 Poughkeepsie, Newburgh, Middletown,
  Kingston, Wappingers Falls, New City, Monroe; 914 Yonkers, White Plains, New Rochelle, Port Chester, Mount Vernon,
  Mount Kisco, Scarsdale
OH Ohio: 216 Cleveland; 220 234 283 326 380 567; 330 Akron, Youngstown, Canton, Warren, Cuyahoga Falls, North
  Canton, Medina; 419 Toledo, Lima, Findlay, Mansfield, Sandusky, Maumee, Perrysburg; 440 Cleveland, Lorain, Elyria,
  Painesville, Mentor, Strongsville, Willoughby; 513 Cincinnati, Hamilton, Mason, Middletown, Milford, Lebanon, West
  Chester; 614 Columbus, Dublin, Westerville, Hilliard, Grove City; 740 Newark, Zanesville, Lancaster, Chillicothe,
  Marion, Portsmouth, Delaware; 937 Dayton, Springfield, Beavercreek, Bellefontaine, Troy, Xenia, Miamisburg
OK Oklahoma: 405 Oklahoma City, Norman, Edmond, Stillwater, Yukon, Shawnee, Moore; 539 572; 580 Lawton, Enid, Ada;
  918 Tulsa, Broken Arrow, Muskogee, McAlester, Tahlequah, Bartlesville, Owasso
OR Oregon: 458 971; 503 Portland, Salem, Beaverton, Hillsboro, Gresham, Lake Oswego, McMinnville; 541 Eugene,
  Medford, Bend, Corvallis, Grants Pass, Springfield, Klamath Falls
PA Pennsylvania: 215 Philadelphia, Langhorne, Doylestown, Bensalem, Newtown, Levittown, Lansdale; 223 272 484 582
  835 878; 267 445 Philadelphia; 412 Pittsburgh, Monroeville, Coraopolis; 570 Scranton, Wilkes-Barre, Williamsport,
  Kingston, Hazleton, Pittston; 610 Allentown, Reading, Bethlehem, West Chester, Norristown, Easton, Wayne; 717
  Harrisburg, York, Lancaster, Mechanicsburg, Chambersburg, Carlisle, Lebanon; 724 Greensburg, Butler, New Castle,
  Washington, New Kensington, Hermitage, Indiana; 814 Erie, Altoona, Johnstown, State College, Meadville
RI Rhode Island: 401 Providence, Newport, Pawtucket, Woonsocket, Cranston, Warwick, Westerly
SC South Carolina: 803 Columbia, Aiken, Sumter, Rock Hill, Lexington, West Columbia, Orangeburg; 821 839 854; 843
  Charleston, Myrtle Beach, Florence, Hilton Head Isle, North Charleston, Mount Pleasant, Conway; 864 Greenville,
  Spartanburg, Anderson, Greer, Greenwood, Simpsonville, Easley
SD South Dakota: 605 Sioux Falls, Rapid City, Aberdeen, Spearfish, Watertown
TN Tennessee: 423 Chattanooga, Johnson City, Kingsport, Cleveland, Morristown, Bristol, Greeneville; 615 Nashville,
  Murfreesboro, Franklin, Brentwood, Hendersonville, Lebanon, Gallatin; 629; 731 Jackson, Dyersburg; 865 Knoxville,
  Maryville, Sevierville, Oak Ridge; 901 Memphis, Collierville; 931 Clarksville, Cookeville, Columbia, Crossville,
  McMinnville, Tullahoma, Sparta
TX Texas: 210 726 San Antonio; 214 Dallas, McKinney, Allen, Frisco; 254 Waco, Killeen, Temple; 281 Houston, Spring,
  Katy, Baytown, Sugar Land, Humble, Missouri City; 325 San Angelo, Abilene; 346 430 682 737 945; 361 Corpus
  Christi, Victoria, Alice; 409 Beaumont, Galveston, Orange, Port Arthur; 432 Midland, Odessa; 469 Plano; 512
  Austin, Round Rock, Georgetown, San Marcos, Bastrop; 713 Houston, Pasadena; 806 Amarillo, Lubbock; 817 Fort Worth,
  Arlington, Cleburne, Weatherford, Mansfield, Granbury, Hurst; 830 New Braunfels, Boerne, Kerrville, Seguin, Del
  Rio; 832 Houston; 903 Tyler, Longview, Texarkana, Sherman, Greenville, Corsicana, Paris; 915 El Paso; 936 Conroe,
  Huntsville, Lufkin, Montgomery, Nacogdoches; 940 Denton, Wichita Falls; 956 Laredo, McAllen, Brownsville,
  Harlingen, Edinburg, Mission, Pharr; 972 Dallas, Plano, Irving, Richardson, Garland, Grand Prairie, Mesquite; 979
  College Station, Bryan, Brenham, Lake Jackson
UT Utah: 385; 435 St. George, Logan, Park City; 801 Salt Lake City, Ogden, Orem, Provo, Bountiful, Layton, American
  Fork
VA Virginia: 276 Bristol, Martinsville, Abingdon; 434 Charlottesville, Lynchburg, Danville; 540 Roanoke,
  Fredericksburg, Winchester, Harrisonburg, Blacksburg, Stafford, Staunton; 571 686 826 948; 703 Alexandria,
  Arlington, Manassas, Woodbridge, Fairfax, Falls Church, Springfield; 757 Virginia Beach, Norfolk, Newport News,
  Chesapeake, Hampton, Williamsburg, Suffolk; 804 Richmond, Midlothian, Mechanicsville, Chester, Petersburg,
  Ashland, Colonial Heights
VT Vermont: 802 Brattleboro, Rutland
WA Washington: 206 Seattle, Mercer Island; 253 Tacoma, Kent, Puyallup, Auburn, Federal Way, Gig Harbor, Lakewood;
  360 Vancouver, Olympia, Bellingham, Longview, Mount Vernon, Bremerton, Oak Harbor; 425 Bellevue, Everett,
  Kirkland, Renton, Issaquah, Redmond, Lynnwood; 509 Spokane, Yakima, Spokane Valley, Walla Walla, Kennewick, Pasco,
  Wenatchee; 564
WI Wisconsin: 262 Kenosha, Waukesha, Racine, Brookfield, Mequon, Menomonee Falls, West Bend; 274 353 534; 414
  Milwaukee, Oak Creek; 608 Madison, Janesville, La Crosse, Beloit, Monroe; 715 Eau Claire, Wausau, Stevens Point,
  Wisconsin Rapids, Superior, Menomonie, Rhinelander; 920 Green Bay, Appleton, Oshkosh, Fond du Lac, De Pere,
  Neenah, Sheboygan
WV West Virginia: 304 Charleston, Huntington, Morgantown, Beckley, Wheeling, Martinsburg, Parkersburg; 681
WY Wyoming: 307 Cheyenne, Casper, Gillette, Jackson, Sheridan, Laramie
"""

_CANADA = """\
AB Alberta: 368 587 825; 403 Calgary, Red Deer, Lethbridge, Medicine Hat, Airdrie; 780 Edmonton, Grande Prairie,
  Fort McMurray, Sherwood Park, St. Albert, Lloydminster
BC British Columbia: 236 257 672; 250 Victoria, Kelowna, Nanaimo, Kamloops, Prince George, Vernon, Courtenay; 604
  Vancouver, Surrey, Richmond, Burnaby, Abbotsford, North Vancouver, Chilliwack; 778 Surrey
MB Manitoba: 204 Winnipeg, Brandon; 431 584
NB New Brunswick: 428; 506 Moncton, Saint John, Fredericton
NL Newfoundland and Labrador: 709 St. John's; 879
NS Nova Scotia: 782; 902 Halifax, Dartmouth, New Glasgow, Sydney, Truro
ON Ontario: 226 249 289 343 365 382 548 647 683 742 753; 416 Toronto, Scarborough, North York, Etobicoke; 437 942
  Toronto; 519 London, Windsor, Kitchener, Guelph, Brantford, Waterloo, Cambridge; 613 Ottawa, Kingston, Belleville,
  Cornwall, Kanata; 705 Barrie, Greater Sudbury, Peterborough, Sault Ste. Marie, North Bay, Orillia, Timmins; 807
  Thunder Bay; 905 Mississauga, Hamilton, Brampton, Markham, Burlington, Oakville, Oshawa
PE Prince Edward Island: 782; 902 Charlottetown, Summerside
QC Quebec: 263 Montreal; 273 354 367 438 468 579 581 873; 418 Quebec City, Chicoutimi, Levis, Rimouski, Thetford
  Mines, Alma; 450 Longueuil, Saint-Hyacinthe, Saint-Jean-sur-Richelieu, Granby, Repentigny, Terrebonne; 514
  Montreal, Lasalle, Saint-Laurent, Pointe-Claire, Dorval; 819 Gatineau, Sherbrooke, Drummondville, Victoriaville,
  Rouyn-Noranda
SK Saskatchewan: 306 Saskatoon, Regina, Moose Jaw, Prince Albert; 474 639
YT Yukon: 867 Whitehorse
"""


@dataclass(frozen=True, slots=True)
class Area:
    """What lies behind an area code; two provinces share some."""

    country: str
    """ISO 3166-1 alpha-2."""
    states: frozenset[str]
    """Postal codes and names, in lower case."""
    cities: frozenset[str]
    """Each after the postal code of its state, in lower case: "wa seattle"."""


@lru_cache(maxsize=1)
def areas() -> Mapping[str, Area]:
    """The areas by their codes, in order."""
    found = {code: Area("PR", frozenset(), frozenset()) for code in ("787", "939")}
    for country, table in (("US", _UNITED_STATES), ("CA", _CANADA)):
        for line in table.replace("\n  ", " ").splitlines():
            _read(country, line.lower(), found)
    return MappingProxyType(dict(sorted(found.items())))


def _read(country: str, line: str, found: dict[str, Area]) -> None:
    """Add the area codes of a state."""
    state, _, entries = line.partition(": ")
    postal_code, _, name = state.partition(" ")
    for entry in entries.split("; "):
        codes = [word for word in entry.split(" ") if word.isdigit()]
        cities = entry.removeprefix(" ".join(codes)).strip()
        named = frozenset(f"{postal_code} {city}" for city in cities.split(", ") if city)
        for code in codes:
            known = found.get(code, Area(country, frozenset(), frozenset()))
            found[code] = Area(country, known.states | {postal_code, name}, known.cities | named)
