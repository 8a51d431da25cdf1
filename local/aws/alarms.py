"""CloudWatch alarms: evaluated on the clock over moto's metric data, with actions once a change of state."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from moto.cloudwatch.models import Alarm, CloudWatchBackend

from local.aws.alarm_data import (
    MetricKey,
    datapoints,
    is_composite,
    metrics_of,
    rule_of,
    sample_of,
    seconds,
    watched_by,
)
from local.aws.alarm_history import History
from local.aws.alarm_messages import Change, action_of, event_of, message_of, reason_data_of, reason_of, subject_of
from local.aws.alarm_rules import AlarmRule, AlarmState, Sample, evaluate, window_end
from local.aws.composite_rules import CompositeRule
from local.aws.composites import composite_change
from local.aws.events import Emitter, utc
from local.aws.patching import Patches

logger = logging.getLogger(__name__)

TICK_S = 10
KEPT_S = 3 * 3600
"""For how long high-resolution data are kept; moto would keep everything."""


class Notifier(Protocol):
    """The SNS client, as far as alarms need it."""

    def publish(self, *, TopicArn: str, Subject: str, Message: str) -> object:  # noqa: N803  boto3's names
        """Publish to a topic."""


class Alarms:
    """The alarms of one region. `install` changes moto, `start` evaluates on the clock, `evaluate_at` once by hand.

    `run_policy` runs a scaling policy and returns why it did nothing, or None. `invoke` calls a function (its ARN, the
    alarm's, the event) without waiting. `clock_rate` is how many seconds of `clock` pass in one of the wall's.
    """

    def __init__(
        self,
        backend: CloudWatchBackend,
        sns: Notifier,
        bus: Emitter,
        *,
        run_policy: Callable[[str], str | None] = lambda arn: "scaling policies are not connected",
        invoke: Callable[[str, str, bytes], object] | None = None,
        clock: Callable[[], float] = time.time,
        settle_s: float = 1.0,
        clock_rate: float = 1.0,
    ) -> None:
        self.backend = backend
        self.clock = clock
        self.history = History()
        self.lock = threading.RLock()
        self._sns = sns
        self._bus = bus
        self._run_policy = run_policy
        self._invoke = invoke
        self._settle_s = settle_s  # data of a period that has just ended may still be on their way
        self._clock_rate = clock_rate
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._patches = Patches()

    def install(self) -> None:
        """Check what PutMetricAlarm stores and serve what moto lacks; `uninstall` undoes it."""
        from local.aws.alarms_api import AlarmsApi  # it needs this module's class

        AlarmsApi(self).install(self._patches)

    def uninstall(self) -> None:
        """Stop, and restore moto."""
        self.stop()
        self._patches.undo()

    def start(self) -> None:
        """Evaluate every 10 seconds of the clock, in a thread of its own."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; may be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def evaluate_at(self, now: float) -> None:
        """Evaluate the alarms whose turn it is at `now`: standard ones on whole minutes only."""
        with self.lock:
            self._forget_old_data(now)
            due = [(alarm, rule) for alarm, rule in self._metric_alarms() if int(now) % rule.interval_s < TICK_S]
            data = self._samples({key for alarm, _ in due for key in watched_by(alarm)})
        for alarm, rule in due:
            self._evaluate(alarm, rule, data, now)

    def set_state(self, alarm: Alarm, state: AlarmState, reason: str, reason_data: str, now: float) -> None:
        """Put an alarm into a state; a change runs the state's actions once, and is told on the bus."""
        with self.lock:
            old = AlarmState(alarm.state_value)
            change = Change(
                old,
                alarm.state_reason,
                alarm.state_reason_data,
                alarm.state_updated_timestamp,
                state,
                reason,
                reason_data,
                now,
            )
            alarm.state_value, alarm.state_reason, alarm.state_reason_data = str(state), reason, reason_data
            alarm.state_updated_timestamp = utc(now)
            if old is state:
                return
            alarm.state_transitioned_timestamp = utc(now)  # type: ignore[attr-defined]  # moto doesn't know it
            self.history.state_changed(alarm, change)
        event_of(alarm, change).put(self._bus)
        if alarm.actions_enabled:
            self._act(alarm, change)
        self._settle_composites(alarm, now)

    def settle(self, composite: Alarm, cause: Alarm | None, now: float) -> None:
        """Bring a composite alarm to what its rule says now; `cause` is the alarm that changed."""
        with self.lock:
            wanted = composite_change(composite, self.backend.alarms, cause, now)
        if wanted is not None:
            self.set_state(composite, *wanted, now)

    def _run(self) -> None:
        while True:
            now = self.clock()
            tick = (int(now) // TICK_S + 1) * TICK_S
            if self._stopping.wait((tick + self._settle_s - now) / self._clock_rate):
                return
            try:
                self.evaluate_at(tick)
            except Exception:  # one alarm's trouble must not end the evaluation of all
                logger.exception("alarm evaluation failed")

    def _metric_alarms(self) -> list[tuple[Alarm, AlarmRule]]:
        alarms = tuple(self.backend.alarms.values())
        return [(alarm, rule_of(alarm)) for alarm in alarms if not is_composite(alarm)]

    def _settle_composites(self, changed: Alarm, now: float) -> None:
        for alarm in tuple(self.backend.alarms.values()):
            if is_composite(alarm) and changed.name in CompositeRule.parse(str(alarm.rule)).children:
                self.settle(alarm, changed, now)

    def _evaluate(self, alarm: Alarm, rule: AlarmRule, data: Mapping[MetricKey, Sequence[Sample]], now: float) -> None:
        current = AlarmState(alarm.state_value)
        verdict = evaluate(rule, datapoints(alarm, rule, data, window_end(rule, now)), current)
        if verdict.state is not current:
            reason = reason_of(rule, verdict, current)
            self.set_state(alarm, verdict.state, reason, reason_data_of(rule, verdict, now), now)

    def _act(self, alarm: Alarm, change: Change) -> None:
        actions = {
            AlarmState.OK: alarm.ok_actions,
            AlarmState.ALARM: alarm.alarm_actions,
            AlarmState.INSUFFICIENT_DATA: alarm.insufficient_data_actions,
        }[change.new]
        for arn in actions:
            fault = self._fault_of(arn, alarm, change)
            self.history.acted(alarm, arn, fault, change.at)
            if fault:
                logger.error("alarm action failed", extra={"alarm": alarm.name, "action": arn, "fault": fault})

    def _fault_of(self, arn: str, alarm: Alarm, change: Change) -> str | None:
        """Run an action; None, or why it failed."""
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        try:
            if service == "sns":
                message = message_of(alarm, self.backend.account_id, change)
                self._sns.publish(TopicArn=arn, Subject=subject_of(alarm, change.new), Message=message)
                return None
            if service == "autoscaling":
                return self._run_policy(arn)
            if service == "lambda" and self._invoke is not None:
                self._invoke(arn, alarm.alarm_arn, action_of(alarm, self.backend.account_id, change).encode())
                return None
        except Exception as error:  # noqa: BLE001  whatever it was, the action failed: the history says so
            return f"{type(error).__name__}: {error}"
        return f"{service or arn} actions are not emulated"

    def _samples(self, wanted: set[MetricKey]) -> Mapping[MetricKey, list[Sample]]:
        found: dict[MetricKey, list[Sample]] = defaultdict(list)
        for datum in tuple(self.backend.metric_data):
            for key in metrics_of(datum):
                if key in wanted:
                    found[key].append(sample_of(datum))
        return found

    def _forget_old_data(self, now: float) -> None:
        oldest = now - max(KEPT_S, self._longest_range())
        kept = [datum for datum in self.backend.metric_data if seconds(datum.timestamp) >= oldest]
        if len(kept) < len(self.backend.metric_data):
            self.backend.metric_data[:] = kept

    def _longest_range(self) -> float:
        ranges = (rule.period_s * rule.range_periods for _, rule in self._metric_alarms())
        return float(max(ranges, default=0))
