"""Cloudflare's own Python client against the double: `official_client.py CASE URL CA TOKEN [LIST]`.

Every answer is parsed with the client's strict validation, and must come out of its models as it went in: no member may be
unknown to them, and none may be lost.
"""

import json
import ssl
import sys
import time

import cloudflare
import httpx
from cloudflare import Cloudflare
from pydantic import BaseModel

ZONE = "example.com"
NAME = "vpn.example.com"


def unknown_members(model, path=""):
    """The members of an answer that the client's models don't know."""
    if isinstance(model, BaseModel):
        yield from (f"{path}.{name}" for name in model.model_extra or {})
        for name in type(model).model_fields:
            yield from unknown_members(getattr(model, name), f"{path}.{name}")
    elif isinstance(model, list):
        for number, item in enumerate(model):
            yield from unknown_members(item, f"{path}[{number}]")


def whole(model):
    unknown = list(unknown_members(model))
    assert not unknown, f"{type(model).__name__} does not know {unknown}"
    return model


class Client:
    def __init__(self, url, ca, token, retries=0):
        trust = ssl.create_default_context(cafile=ca)
        self.raw = None
        http = httpx.Client(verify=trust, event_hooks={"response": [self.remember]})
        self.api = Cloudflare(
            api_token=token, base_url=url, http_client=http, max_retries=retries, _strict_response_validation=True
        )

    def remember(self, response):
        response.read()
        self.raw = response

    def same(self, model):
        """The model is the answer's `result`, to the last member."""
        result = json.loads(self.raw.text)["result"]
        shown = json.loads(whole(model).to_json(exclude_unset=True))
        times = [name for name in shown if name.endswith("_on")]
        for side in (shown, result):
            for name in times:
                side[name] = side[name] and side[name].replace("+00:00", "Z").rstrip("Z").rstrip("0").rstrip(".")
        assert shown == result, f"{shown} is not {result}"
        return model

    def zone(self):
        return next(iter(self.api.zones.list(name=ZONE))).id


def refused(error, code, call):
    try:
        call()
    except error as refusal:
        codes = [each.code for each in refusal.errors]
        assert codes == [code], f"{codes} in place of {code}"
        assert all(each.message for each in refusal.errors)
        return refusal
    raise AssertionError(f"no {error.__name__}")


def token(client):
    assert client.same(client.api.user.tokens.verify()).status == "active"


def zones(client):
    first = client.api.zones.list(per_page=5)
    assert first.result_info.page == 1 and first.result_info.per_page == 5
    everything = [whole(zone) for zone in first]
    names = [zone.name for zone in everything]
    assert len(names) == len(set(names)) == 12, names
    assert [zone.id for zone in client.api.zones.list(name=ZONE)] == [everything[0].id]
    assert client.same(client.api.zones.get(zone_id=everything[0].id)).name == ZONE


def records(client):
    api, zone = client.api.dns.records, client.zone()
    for number in range(1, 8):
        api.create(zone_id=zone, type="A", name=f"host{number}", content=f"11.22.33.{number}", ttl=60)
    page = api.list(zone_id=zone, per_page=3)
    listed = [whole(record) for record in page]
    assert len({record.id for record in listed}) == len(listed) == 9, listed
    assert json.loads(client.raw.text)["result_info"]["total_count"] == 9
    mine = list(api.list(zone_id=zone, type="AAAA", name={"exact": NAME}))
    assert [(record.type, record.content) for record in mine] == [("AAAA", "2a00::9")]
    mine = list(api.list(zone_id=zone, type="A", name={"exact": NAME}))
    assert [(record.comment, record.tags, record.ttl) for record in mine] == [("by hand", ["team:net"], 120)]
    assert list(api.list(zone_id=zone, name={"exact": "nobody.example.com"})) == []
    assert client.same(api.get(mine[0].id, zone_id=zone)).content == "11.22.33.9"


def writes(client):
    api, zone = client.api.dns.records, client.zone()
    new = dict(zone_id=zone, type="A", name="new.example.com", content="11.22.33.44", ttl=60, comment="managed by ddnsd")
    made = client.same(api.create(**new))
    assert (made.name, made.comment, made.proxied, made.ttl) == ("new.example.com", "managed by ddnsd", False, 60)
    edited = client.same(
        api.edit(made.id, zone_id=zone, type="A", name="new.example.com", content="11.22.33.45", ttl=60)
    )
    assert (edited.id, edited.content, edited.comment) == (made.id, "11.22.33.45", "managed by ddnsd")
    assert edited.created_on == made.created_on and edited.modified_on >= made.modified_on
    put = client.same(
        api.update(made.id, zone_id=zone, type="A", name="new.example.com", content="11.22.33.46", proxied=True, ttl=1)
    )
    assert (put.content, put.comment, put.proxied) == ("11.22.33.46", None, True)
    assert client.same(api.delete(made.id, zone_id=zone)).id == made.id
    refused(cloudflare.NotFoundError, 81044, lambda: api.get(made.id, zone_id=zone))


def duplicates(client):
    api, zone = client.api.dns.records, client.zone()
    same = dict(zone_id=zone, type="A", name=NAME, content="11.22.33.9", ttl=60)
    refused(cloudflare.BadRequestError, 81058, lambda: api.create(**same))
    other = client.same(api.create(**{**same, "content": "11.22.33.10"}))
    refused(cloudflare.BadRequestError, 81058, lambda: api.edit(other.id, **same))
    alias = dict(zone_id=zone, type="CNAME", name=NAME, content="else.example.com", ttl=60)
    refused(cloudflare.BadRequestError, 81053, lambda: api.create(**alias))


def refusals(client):
    api, zone = client.api.dns.records, client.zone()
    refused(cloudflare.NotFoundError, 81044, lambda: api.get("f" * 32, zone_id=zone))
    refused(cloudflare.NotFoundError, 7003, lambda: client.api.zones.get(zone_id="f" * 32))
    bad = dict(zone_id=zone, type="A", name=NAME, content="no address", ttl=60)
    refused(cloudflare.BadRequestError, 9005, lambda: api.create(**bad))
    refused(cloudflare.BadRequestError, 9021, lambda: api.create(**{**bad, "content": "11.22.33.5", "ttl": 5}))


def stranger(client):
    refused(cloudflare.AuthenticationError, 1000, client.api.user.tokens.verify)
    refused(cloudflare.PermissionDeniedError, 9109, lambda: client.api.zones.list())


def malformed(client):
    refused(cloudflare.BadRequestError, 6003, lambda: client.api.zones.list())


def narrowed(client):
    assert client.same(client.api.user.tokens.verify()).status == "active"
    refused(cloudflare.PermissionDeniedError, 10000, lambda: client.api.zones.list())


def limited(client):
    refusal = refused(cloudflare.RateLimitError, 971, lambda: client.api.zones.list())
    assert refusal.response.headers["retry-after"] == "7"
    assert refusal.response.headers["ratelimit"] == '"default";r=0;t=7'


def obeys(client):
    """The client waits for as long as `Retry-After` says, and asks again."""
    waited, time.sleep = [], lambda seconds: waited.append(seconds)
    assert client.zone()
    assert waited == [7.0], waited


def quota(client):
    """Answers that are no refusal tell what is left, too."""
    client.zone()
    assert client.raw.headers["ratelimit-policy"] == '"default";q=1200;w=300'
    left = client.raw.headers["ratelimit"]
    assert left.startswith('"default";r=') and ";t=" in left, left


def unavailable(client):
    refused(cloudflare.InternalServerError, 10000, lambda: client.api.zones.list())


ACCOUNT = "9a7806061c88ada191ed06f989cc3dac"


def ended(client, begun):
    """Every status on the way to the end of an operation."""
    statuses = []
    while not statuses or statuses[-1] in ("pending", "running"):
        operation = client.api.rules.lists.bulk_operations.get(begun.operation_id, account_id=ACCOUNT)
        statuses.append(client.same(operation).status)
    return statuses, operation


def lists(client, at):
    api, at = client.api.rules.lists.items, dict(list_id=at, account_id=ACCOUNT)
    new = [dict(ip="11.22.33.44", comment="ours"), dict(ip="2A00:1:2:3::/64"), dict(ip="11.0.0.0/8", comment="wide")]
    assert ended(client, client.same(api.create(**at, body=new)))[0] == ["pending", "running", "completed"]
    page = api.list(**at, per_page=2)
    items = [whole(item) for item in page]
    shown = [(item.ip, item.comment) for item in items]
    assert shown == [("11.22.33.44", "ours"), ("2a00:1:2:3::/64", None), ("11.0.0.0/8", "wide")], shown
    begun = api.create(**at, body=[dict(ip="11.22.33.44", comment="again")])
    busy = refused(cloudflare.RateLimitError, 10013, lambda: api.create(**at, body=new))
    assert busy.status_code == 429
    ended(client, begun)
    assert ended(client, client.same(api.delete(**at, items=[dict(id=items[2].id)])))[0][-1] == "completed"
    shown = [(item.ip, item.comment) for item in api.list(**at)]
    assert shown == [("11.22.33.44", "again"), ("2a00:1:2:3::/64", None)], shown
    refused(cloudflare.BadRequestError, 10014, lambda: api.create(**at, body=[dict(ip="2a00::1")]))
    refused(cloudflare.NotFoundError, 10001, lambda: list(api.list(**{**at, "list_id": "f" * 32})))


def lists_fail(client, at):
    begun = client.api.rules.lists.items.create(list_id=at, account_id=ACCOUNT, body=[dict(ip="11.22.33.44")])
    statuses, operation = ended(client, begun)
    assert (statuses[-1], operation.error) == ("failed", "the list is full"), operation
    assert list(client.api.rules.lists.items.list(list_id=at, account_id=ACCOUNT)) == []


CASES = [
    lists, lists_fail, token, zones, records, writes, duplicates, refusals, stranger, malformed, narrowed, limited, obeys, quota, unavailable
]

if __name__ == "__main__":
    case, url, ca, secret, *more = sys.argv[1:]
    [run] = [each for each in CASES if each.__name__ == case]
    run(Client(url, ca, secret, retries=1 if run is obeys else 0), *more)
    print(f"official client: {case} is as it should be")
