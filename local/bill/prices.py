"""What AWS asks: one table, to be looked up again before anybody relies on it."""

from __future__ import annotations

from dataclasses import dataclass

REGION = "us-east-1"
LOOKED_UP = "never: list prices as they were known to the authors, of 2025; look them up at aws.amazon.com/pricing"


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for `amount` of a unit."""

    usd: float
    amount: float
    unit: str

    def of(self, count: float) -> float:
        """What so many units cost."""
        return self.usd * count / self.amount


MILLION, THOUSAND = 1_000_000.0, 1_000.0
PRICES = {
    "manager, small": Price(0.0208, 1, "hour of a t3.small"),
    "manager, medium": Price(0.0416, 1, "hour of a t3.medium"),
    "manager, large": Price(0.1008, 1, "hour of an m7i.large"),
    "disk": Price(0.08, 1, "GB of gp3 a month"),
    "gateway": Price(0.045, 1, "hour of a NAT gateway"),
    "gateway GB": Price(0.045, 1, "GB through a NAT gateway"),
    "address": Price(0.005, 1, "hour of a public IPv4 address"),
    "balancer": Price(0.0225, 1, "hour of an application load balancer"),
    "balancer unit": Price(0.008, 1, "hour of a load balancer's capacity unit"),
    "run": Price(0.20, MILLION, "runs of a function"),
    "GB-second": Price(0.0000133334, 1, "GB-second of a function on arm64"),
    "read unit": Price(0.125, MILLION, "read units of DynamoDB, on demand"),
    "write unit": Price(0.625, MILLION, "write units of DynamoDB, on demand"),
    "table GB": Price(0.45, 1, "GB of a table a month, with point-in-time recovery"),
    "metric": Price(0.30, 1, "metric of CloudWatch a month"),
    "metric read": Price(
        0.01, THOUSAND, "metrics read, or other calls of CloudWatch; the first million a month is free"
    ),
    "alarm": Price(0.10, 1, "alarm a month; three times that below a period of a minute"),
    "dashboard": Price(3.00, 1, "dashboard a month; an account's first three are free"),
    "log GB": Price(0.50, 1, "GB of logs taken in"),
    "event": Price(1.00, MILLION, "events of our own"),
    "queue request": Price(0.40, MILLION, "requests of a queue"),
    "secret": Price(0.40, 1, "secret a month"),
    "secret read": Price(0.05, 10 * THOUSAND, "calls of Secrets Manager"),
    "API request": Price(1.00, MILLION, "requests of the HTTP API"),
}
