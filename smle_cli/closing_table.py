"""The table at the end of a batch, its sums, and the list of what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smle_cli.progress import duration

if TYPE_CHECKING:
    from rich.console import Console

    from smle.batch.file_report import FileReport

MAX_ROWS = 20


class Closing:
    """Collects what the end of a batch tells: the first rows, every failure, the sums."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []
        self.failures: list[str] = []
        self.counts = {"done": 0, "kept": 0, "failed": 0}
        self.low_confidence = 0
        self._audio_s = 0.0
        self._removed_db = 0.0

    def add(self, name: str, report: FileReport) -> None:
        """Take in one file's report under the name it has in the table."""
        self.counts[report.status] += 1
        if report.status == "failed":
            self.failures.append(report.error or name)
            return
        self.rows.append(_row(name, report))
        if len(self.rows) > 2 * MAX_ROWS:
            # The first in the order of their names, whichever was ready first.
            self.rows = sorted(self.rows)[:MAX_ROWS]
        if report.status == "done":
            self._audio_s += report.seconds
            self._removed_db += report.noise_removed_db
            self.low_confidence += report.low_confidence

    def show(self, console: Console, elapsed_s: float, *, quiet: bool = False) -> None:
        """Print table, failures and sums.

        Args:
            console: Where to.
            elapsed_s: Seconds that the whole batch took.
            quiet: Only the failures.
        """
        from rich.table import Table
        from rich.text import Text

        shown = sorted(self.rows)[:MAX_ROWS]
        if shown and not quiet:
            table = Table(box=None, pad_edge=False, header_style="bold")
            table.add_column("file", overflow="fold", ratio=1)
            table.add_column("seconds", justify="right")
            table.add_column("specialist", overflow="fold")
            table.add_column("noise removed", justify="right")
            table.add_column("speed", justify="right")
            for row in shown:
                table.add_row(*(Text(cell) for cell in row))
            console.print(table)
        rest = self.counts["done"] + self.counts["kept"] - len(shown)
        if rest and not quiet:
            console.print(f"... and {rest} more; --report FILE lists them all", markup=False)
        for failure in self.failures:
            console.print(
                Text("failed: ", style="red"),
                Text(failure),
                sep="",
                soft_wrap=True,
                highlight=False,
            )
        if quiet:
            return
        console.print(self.summary(elapsed_s), markup=False, highlight=False, soft_wrap=True)

    def summary(self, elapsed_s: float) -> str:
        """One line of sums."""
        done, kept, failed = self.counts["done"], self.counts["kept"], self.counts["failed"]
        words = [f"{done} done"]
        if kept:
            words.append(f"{kept} kept from an earlier run")
        if failed:
            words.append(f"{failed} failed")
        if self.low_confidence:
            words.append(f"{self.low_confidence} with little confidence in the choice")
        line = ", ".join(words)
        if done:
            speed, removed_db = self._audio_s / max(elapsed_s, 1e-3), self._removed_db / done
            line += (
                f"; {duration(self._audio_s)} of audio in {duration(elapsed_s)}, "
                f"{speed:.0f}x real time; {removed_db:.1f} dB of noise removed on average"
            )
        return line


def _row(name: str, report: FileReport) -> tuple[str, ...]:
    choice = f"{report.expert} {report.probability:.2f}"
    if report.switches:
        choice += f" (+{report.switches})"
    if report.low_confidence:
        choice += " ?"
    speed = f"{report.times_real_time:.0f}x" if report.status == "done" else "kept"
    return name, f"{report.seconds:.1f}", choice, f"{report.noise_removed_db:.1f} dB", speed
