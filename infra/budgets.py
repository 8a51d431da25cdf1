"""A budget that tells the owners by mail when the fleet's month gets dear."""

from __future__ import annotations

from aws_cdk import aws_budgets as budgets
from constructs import Construct

from infra.names import FLEET_TAG, Names
from swarmkeeper.edge.settings_account import CostBudget

NEARLY_PERCENT, WHOLE_PERCENT = 80, 100


class FleetBudget(Construct):
    """All that carries the fleet's tag, month by month; billing counts by tags that are activated there only."""

    def __init__(self, scope: Construct, wanted: CostBudget, names: Names) -> None:
        super().__init__(scope, "Budget")
        budgets.CfnBudget(
            self,
            "Monthly",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=names.of("monthly"),
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=wanted.monthly, unit="USD"),
                cost_filters={"TagKeyValue": [f"user:{FLEET_TAG}${names.fleet}"]},
            ),
            notifications_with_subscribers=[
                self._told(wanted, "ACTUAL", NEARLY_PERCENT),
                self._told(wanted, "FORECASTED", WHOLE_PERCENT),
            ],
        )

    def _told(
        self, wanted: CostBudget, what: str, percent: int
    ) -> budgets.CfnBudget.NotificationWithSubscribersProperty:
        return budgets.CfnBudget.NotificationWithSubscribersProperty(
            notification=budgets.CfnBudget.NotificationProperty(
                comparison_operator="GREATER_THAN",
                notification_type=what,
                threshold=percent,
                threshold_type="PERCENTAGE",
            ),
            subscribers=[
                budgets.CfnBudget.SubscriberProperty(address=address, subscription_type="EMAIL")
                for address in wanted.notify
            ],
        )
