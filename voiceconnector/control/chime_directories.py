"""The directories of the AWS account, and the enterprise accounts that are connected to them (2018 guide p. 7-9).

AWS Directory Service is not emulated: what a directory knows of its users (addresses, groups, who is disabled) is
put here as a whole. It counts from then on: for licences, and for who may sign in.
"""

from dataclasses import replace

from ..trunk.account_model import Account, Directory, DirectoryGroup, directory, directory_group, directory_id
from ..trunk.shapes import shape_of
from ..trunk.tables import ShapeError, Table, mapping, read
from .chime_routes import Ids, Route
from .context import Control
from .errors import ApiError


def list_directories(control: Control, ids: Ids, asked: object) -> object:
    return [shape_of(known) for known in control.store.snapshot.all(Directory).values()]


def put_directory(control: Control, ids: Ids, asked: object) -> object:
    """A directory as AWS Directory Service would have it: new, or in place of what was known of it."""
    known = directory({**read(mapping, asked, "the body"), "DirectoryId": ids["directory_id"]}, "")
    control.store.commit(known)
    return shape_of(known)


def delete_directory(control: Control, ids: Ids, asked: object) -> object:
    known = _known(control, ids["directory_id"])
    if account := _connected(control, known):
        message = f"the account {account.account_id} is connected to {known.directory_id}; disconnect it first"
        raise ApiError("ConflictException", message)
    control.store.commit(remove=[known])
    return None


def connect_directory(control: Control, ids: Ids, asked: object) -> object:
    """An enterprise account's users sign in with the directory from now on; a directory serves one account."""
    account = control.known(Account, ids["account_id"])
    known = _known(control, Table(asked, "", ("DirectoryId",)).required("DirectoryId", directory_id))
    if account.account_type == "Team":
        message = f"the account {account.account_id} is a team account; claim a domain first"
        raise ApiError("ConflictException", message)
    holder = _connected(control, known)
    if account.directory_id or holder:
        connected = (holder or account).account_id
        message = f"the account {connected} is connected to {(holder or account).directory_id}; disconnect it first"
        raise ApiError("ConflictException", message)
    control.store.commit(replace(account, directory_id=known.directory_id))
    return {"DirectoryId": known.directory_id}


def disconnect_directory(control: Control, ids: Ids, asked: object) -> object:
    """Users sign in with Login with Amazon again, and have the licences that were theirs; the groups are gone."""
    control.store.commit(replace(_connected_account(control, ids), directory_id=None, groups=()))
    return None


def list_groups(control: Control, ids: Ids, asked: object) -> object:
    return [shape_of(group) for group in control.known(Account, ids["account_id"]).groups]


def add_or_update_groups(control: Control, ids: Ids, asked: object) -> object:
    """Groups with their licences, Plus or Pro; those that are not named stay."""
    account = _connected_account(control, ids)
    given = Table(asked, "", ("Groups",)).shapes("Groups", directory_group)
    if not given:
        raise ShapeError("Groups", "must name a group at least")
    groups: dict[str, DirectoryGroup] = {group.group_name: group for group in (*account.groups, *given)}
    control.store.commit(replace(account, groups=tuple(groups.values())))
    return [shape_of(group) for group in groups.values()]


def delete_group(control: Control, ids: Ids, asked: object) -> object:
    account = _connected_account(control, ids)
    left = tuple(group for group in account.groups if group.group_name != ids["group_name"])
    if len(left) == len(account.groups):
        message = f"the account {account.account_id} has no group {ids['group_name']}"
        raise ApiError("NotFoundException", message)
    control.store.commit(replace(account, groups=left))
    return None


def _known(control: Control, directory_id: str) -> Directory:
    known = control.store.snapshot.all(Directory).get(directory_id)
    if known is None:
        message = f"there is no directory {directory_id}; PUT /emulator/chime/directories/{directory_id} makes one"
        raise ApiError("NotFoundException", message)
    return known


def _connected(control: Control, known: Directory) -> Account | None:
    accounts = control.store.snapshot.all(Account).values()
    return next((account for account in accounts if account.directory_id == known.directory_id), None)


def _connected_account(control: Control, ids: Ids) -> Account:
    account = control.known(Account, ids["account_id"])
    if account.directory_id is None:
        raise ApiError("ConflictException", f"the account {account.account_id} is connected to no directory")
    return account


ROUTES = (
    Route("GET", "/directories", list_directories, action="ListDirectories"),
    Route("PUT", "/directories/{directory_id}", put_directory),
    Route("DELETE", "/directories/{directory_id}", delete_directory, 204),
    Route("PUT", "/accounts/{account_id}/directory", connect_directory, action="ConnectDirectory"),
    Route("DELETE", "/accounts/{account_id}/directory", disconnect_directory, 204, action="DisconnectDirectory"),
    Route("GET", "/accounts/{account_id}/groups", list_groups, action="ListGroups"),
    Route("PUT", "/accounts/{account_id}/groups", add_or_update_groups, action="AddOrUpdateGroups"),
    Route("DELETE", "/accounts/{account_id}/groups/{group_name}", delete_group, 204, action="DeleteGroups"),
)
