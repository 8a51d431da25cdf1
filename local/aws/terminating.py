"""How a group's instance ends."""

from __future__ import annotations

from dataclasses import dataclass

from local.aws.autoscaling_state import Member, State
from local.aws.events import seconds_iso
from local.aws.instances import Ec2State
from local.aws.launching import Launcher, hook_event
from local.aws.lifecycle import Action, Result, Transition


@dataclass(frozen=True, slots=True)
class Terminator:
    """Ends instances, after their hooks; and settles lifecycle actions of both kinds."""

    state: State
    launcher: Launcher

    def begin(self, member: Member, because: str) -> str:
        """Begin to end a member and return the activity's id; an open launch action is dropped.

        `because` completes "At (time) ".
        """
        state, now = self.state, self.state.clock()
        if member.state.startswith("Pending"):
            self.launcher.abandoned(member, "Instance was terminated before it came into service")
        group = state.group(member.group)
        member.activity = state.activities.begin(
            (group.name, group.arn),
            f"Terminating EC2 instance: {member.id}",
            f"At {seconds_iso(now)} {because}",
            now,
            Subnet_ID=member.place.subnet_id,
            Availability_Zone=member.place.zone,
        )
        state.move(member, "Terminating")
        state.backend.elbv2_backend.notify_terminate_instances([member.id])
        hooks = state.hooks(member.group, Transition.TERMINATING)
        for hook in hooks:
            action = state.actions.begin(hook, member.id, now)
            state.outbox.append(hook_event(member, action, group.arn))
        if hooks:
            state.move(member, "Terminating:Wait")
            state.activities.advance(member.activity, "MidLifecycleAction", 60)
        else:
            self._proceed(member)
        return member.activity

    def advance(self, member: Member) -> None:
        """Move a terminating member as far as it can go now."""
        if member.state == "Terminating:Wait" and not self.state.actions.of(member.id):
            self._proceed(member)
        elif member.state == "Terminating:Proceed" and member.instance.state_code == Ec2State.TERMINATED:
            self._ended(member)

    def settle(self, action: Action, result: Result, how: str) -> None:
        """End an action: CONTINUE lets the others finish, ABANDON ends the wait at once.

        A launch that is abandoned ends in termination; a termination goes on either way.
        """
        state = self.state
        member = state.members[action.instance_id]
        if result is Result.CONTINUE:
            state.actions.end(action)
        elif action.hook.transition is Transition.TERMINATING:
            state.actions.end_all(member.id)
        else:
            self._abandon_launch(member, action, how)
        state.changed = True

    def _abandon_launch(self, member: Member, action: Action, how: str) -> None:
        message = (
            "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token"
            f" {action.token} was abandoned: {how}"
        )
        self.launcher.abandoned(member, message)
        self.state.move(member, "Terminating")
        self.begin(member, "an instance was taken out of service in response to a launch that was abandoned.")

    def _proceed(self, member: Member) -> None:
        self.state.move(member, "Terminating:Proceed")
        self.state.ec2.ec2.terminate_instances([member.id])

    def _ended(self, member: Member) -> None:
        state, now = self.state, self.state.clock()
        group = state.group(member.group)
        state.notes[group.name].cooldown_until = now + group.default_cooldown
        done = state.activities.finish(member.activity, "Successful", now)
        state.announce(member, "EC2 Instance Terminate Successful", done, launching=False)
        state.forget(member)
