"""The idempotency tokens' part of the table; DynamoDB deletes them some time after they have expired."""

from __future__ import annotations

from swarmkeeper.adapters.aws.dynamo import ConditionFailed, DynamoTable
from swarmkeeper.adapters.aws.items import claim_key, number, text
from swarmkeeper.adapters.aws.writes import Terms, put
from swarmkeeper.errors import Contention


class ClaimRecords:
    """Tokens and what they were given with; the rules are in `ports.StateStore`."""

    table: DynamoTable

    def claim(self, token: str, meaning: str, *, now: float, expires_at: float) -> str:
        item = {**claim_key(token), "meaning": text(meaning), "expires_at": number(round(expires_at))}
        try:
            self.table.write(put(item, Terms().absent()))
        except ConditionFailed as failed:
            if failed.actual is None:
                raise Contention("a token was claimed and deleted at once") from failed
            if float(failed.actual["expires_at"]["N"]) > now:
                return failed.actual["meaning"]["S"]
        else:
            return meaning
        try:
            self.table.write(put(item, Terms().at_most("expires_at", round(now))))
        except ConditionFailed as failed:
            raise Contention("a token that had expired was claimed twice at once") from failed
        return meaning
