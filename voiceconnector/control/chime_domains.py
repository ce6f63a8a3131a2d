"""Domains that an account claims: with the first one verified it is an enterprise account (2018 guide p. 7).

A claim gives a TXT record, which the owner of the domain puts into DNS; when it is found there the domain is
verified. Left out: the service's own checks within 24 hours; a check is made when it is asked for.
"""

from dataclasses import replace

from ..trunk.account_model import Account, Domain, domain_name
from ..trunk.tables import Table
from . import account_rules as rules
from .chime_routes import Ids, LookUp, Route, Texts
from .context import Control, Fields
from .errors import ApiError
from .output import iso_8601

# Unverified: the console shows the name and the value of the record; neither is published.
_RECORD_LABEL = "_amazonchime"


def list_domains(control: Control, ids: Ids, asked: object) -> object:
    return [_shown(domain) for domain in control.known(Account, ids["account_id"]).domains]


def add_domain(control: Control, ids: Ids, asked: object) -> object:
    """A claim; 409 for a domain that an account has already."""
    account = control.known(Account, ids["account_id"])
    name = Table(asked, "", ("DomainName",)).required("DomainName", domain_name)
    owner = rules.claiming(control.store.snapshot, name)
    if owner or any(domain.domain_name == name for domain in account.domains):
        holder = owner or account
        raise ApiError("ConflictException", f"{name} is a domain of the account {holder.account_id} already")
    domain = Domain(name, control.new_id())
    control.store.commit(replace(account, domains=(*account.domains, domain)))
    return _shown(domain)


def get_domain(control: Control, ids: Ids, asked: object) -> object:
    return _shown(_known(control.known(Account, ids["account_id"]), ids["domain_name"]))


def verify_domain(control: Control, ids: Ids, asked: object) -> object:
    """Looks for the record. A domain that is verified stays so, whatever DNS says later."""
    domain = _known(control.known(Account, ids["account_id"]), ids["domain_name"])
    return LookUp(_record_name(domain), lambda texts: _verified(control, ids, texts))


def _verified(control: Control, ids: Ids, texts: Texts) -> object:
    account = control.known(Account, ids["account_id"])
    domain = _known(account, ids["domain_name"])
    if domain.verified is not None:
        return _shown(domain)
    if domain.token not in texts.records:
        return _shown(domain) | {"Reason": texts.because or _elsewise(domain, texts)}
    control.store.commit(*rules.verified(control.store.snapshot, account, domain, control.clock()))
    return get_domain(control, ids, None)


def _elsewise(domain: Domain, texts: Texts) -> str:
    count = len(texts.records)
    records = "1 TXT record" if count == 1 else f"{count} TXT records"
    return f"{_record_name(domain)} has {records}, none of which is {domain.token}"


def delete_domain(control: Control, ids: Ids, asked: object) -> object:
    """Suspends and signs out the users of the domain; without its last one the account is a team account again."""
    account = control.known(Account, ids["account_id"])
    domain = _known(account, ids["domain_name"])
    control.store.commit(*rules.released(control.store.snapshot, account, domain))
    return None


def _known(account: Account, name: str) -> Domain:
    for domain in account.domains:
        if domain.domain_name == name.lower():
            return domain
    raise ApiError("NotFoundException", f"the account {account.account_id} claims no domain {name}")


def _record_name(domain: Domain) -> str:
    return f"{_RECORD_LABEL}.{domain.domain_name}"


def _shown(domain: Domain) -> Fields:
    fields: Fields = {
        "DomainName": domain.domain_name,
        "Status": "Pending verification" if domain.verified is None else "Verified",
        "TxtRecord": {"Name": _record_name(domain), "Value": domain.token},
    }
    return fields if domain.verified is None else fields | {"VerifiedOn": iso_8601(domain.verified)}


ROUTES = (
    Route("GET", "/accounts/{account_id}/domains", list_domains, action="ListDomains"),
    Route("POST", "/accounts/{account_id}/domains", add_domain, 201, action="AddDomain"),
    Route("GET", "/accounts/{account_id}/domains/{domain_name}", get_domain, action="GetDomain"),
    Route("DELETE", "/accounts/{account_id}/domains/{domain_name}", delete_domain, 204, action="DeleteDomain"),
    Route("POST", "/accounts/{account_id}/domains/{domain_name}/verify", verify_domain),
)
