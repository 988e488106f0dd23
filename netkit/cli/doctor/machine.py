"""The machine that the doctor examines: the real one, recorded if asked, or a recording."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

from netkit.files import read_bounded, write_private
from netkit.model import HostKeyPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from diagnostics.model import Report, Target
    from diagnostics.recording import RecordingSystem
    from diagnostics.redact import Redactor
    from diagnostics.system import System
    from netkit.cli.doctor.command import Request
    from netkit.cli.services import Services
    from netkit.model import TunnelSpec
    from netkit.prompt import Prompter

    Secrets = Callable[[], tuple[str | None, Prompter | None]]

MAX_RECORDING = 16 << 20


class Machine:
    """A context manager that logs out and lets go of everything at its end.

    Attributes:
        system: what the probes ask.
        target: what a recording was made of; None for the real machine.
    """

    system: System
    target: Target | None = None

    def __init__(
        self,
        request: Request,
        services: Services,
        secrets: Secrets,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """``progress`` is told what a long wait is for."""
        self._request = request
        self._services = services
        self._secrets = secrets
        self._progress = progress
        self._recording: RecordingSystem | None = None

    def __enter__(self) -> Self:
        request = self._request
        if request.replay is not None:
            from diagnostics.recorded import RecordedSystem

            recorded = RecordedSystem(read_bounded(request.replay, MAX_RECORDING))
            self.system, self.target = recorded, recorded.target
            return self
        password, prompter = self._secrets()
        self.system = self._services.machine(
            _unchanging(request.spec),
            prompter=prompter,
            password=password,
            progress=self._progress,
        )
        if request.record is not None:
            from diagnostics.recording import RecordingSystem

            self.system = self._recording = RecordingSystem(self.system)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.system.ssh.close()

    def finish(self, report: Report) -> None:
        """Save the recording, and remember what was learnt about this network.

        Raises:
            UsageError: the recording cannot be written.
        """
        if self._recording is not None and self._request.record is not None:
            redactor = self._redactor(report) if self._request.redact else None
            write_private(self._request.record, self._recording.encode(report.target, redactor))
        if self.target is None and report.target.nat is not None:
            from netkit.cli.keepalive import remember

            remember(report, self.system)

    def redacted(self, report: Report) -> Report:
        """Return ``report`` with names and addresses replaced."""
        from diagnostics.model import Result

        redactor = self._redactor(report)
        results = []
        for result in report.results:
            clean: Result = replace(
                result,
                reason=redactor.text(result.reason),
                findings=redactor.value(result.findings),
                unknowns=redactor.value(result.unknowns),
                facts=None,
            )
            results.append(clean)
        return replace(
            report,
            results=tuple(results),
            hidden=redactor.value(report.hidden),
            target=redactor.value(report.target),
        )

    def _redactor(self, report: Report) -> Redactor:
        from diagnostics.redact import of_run

        return of_run(self.system, report)


def _unchanging(spec: TunnelSpec | None) -> TunnelSpec | None:
    """Return ``spec`` so that an examination records no host key unless it was told to."""
    if spec is None or spec.host_key is not None:
        return spec
    return replace(spec, host_key=HostKeyPolicy.STRICT)
