"""The speed of the stacking engine, side by side with its peers and with reading the bytes.

    python tests/perf/engine.py                       # the whole table: half an hour, 12 GB of disk
    python tests/perf/engine.py --only sigma --only median
    python tests/perf/engine.py --report speed.md --data /fast/disk --rounds 5

Makes frames below ``--data`` (or in a temporary folder that is removed), runs whole processes in
turn, each round beginning with another one, and compares wall times of one round only. Peers that
are not installed are left out with a line that says so: siril (Debian's ``siril``), ccdproc
(``--peer-python`` names an interpreter that has it). "cold" needs root, to empty the page cache.
Prints Markdown. Not collected by pytest: numbers depend on the machine and on what else it does.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from calibstudio.imaging.kernels import warm_kernels

sys.path.insert(0, str(Path(__file__).resolve().parent))

import engine_frames
import engine_peers as peers
from engine_run import Run, drop_caches, interleaved, is_root, ratios, timed

OURS = "calibstudio"
SIZE_24, SIZE_61, SIZE_6 = (4000, 6000), (6388, 9576), (2000, 3000)
SIGMA = ("--combine", "mean", "--reject", "sigma", "--low", "3", "--high", "3")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    work: str
    ours: str
    other: str
    ratio: str
    cpu_ratio: str
    must: str
    aim: str
    verdict: str


@dataclass(slots=True)
class Bench:
    """What all parts share."""

    data: Path
    rounds: int
    peer_python: str
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    """Largest resident memory of our own processes, MiB, by work."""

    @property
    def out(self) -> Path:
        return self.data / "out.fits"

    def darks(self, n: int, shape: tuple[int, int]) -> list[Path]:
        folder = self.data / f"dark_{n}_{shape[1]}x{shape[0]}"
        return engine_frames.made_apart("darks", folder, n, shape)

    def stack(self, paths: list[Path], *options: str) -> list[str]:
        files = [str(path) for path in paths]
        return [sys.executable, "-m", "calibstudio", "stack", *files, "-o", str(self.out), *options]

    def against(
        self, work: str, ours: list[str], others: dict[str, tuple[list[str], float, float]]
    ) -> None:
        """Compare with peers: name -> (command, must, aim), both as "times faster"."""
        commands = {OURS: ours} | {name: command for name, (command, _, _) in others.items()}
        found = interleaved(commands, self.out, self.rounds)
        self.memory[work] = max(run.memory_mib for run in found[OURS])
        for name, (_, must, aim) in others.items():
            many = ratios(found[name], found[OURS])
            self.add(work, found[OURS], name, found[name], many, f"{must:g}", f"{aim:g}", must, aim)
        if not others:
            self.lines.append(Line(work, wall(found[OURS]), "-", "-", "-", "-", "-", "no peer"))

    def add(
        self,
        work: str,
        ours: list[Run],
        name: str,
        other: list[Run],
        many: list[float],
        must_text: str,
        aim_text: str,
        must: float,
        aim: float,
        *,
        more_is_better: bool = True,
    ) -> None:
        middle = statistics.median(many)
        good = middle >= aim if more_is_better else middle <= aim
        fair = middle >= must if more_is_better else middle <= must
        verdict = "aim" if good else "must" if fair else "**missed**"
        said = f"{middle:.2f} ({min(many):.2f} to {max(many):.2f})"
        cpu = min(run.cpu_s for run in other) / max(min(run.cpu_s for run in ours), 1e-9)
        cpu_said = f"{cpu:.1f}" if more_is_better else "-"
        them = f"{name}: {wall(other)}"
        self.lines.append(
            Line(work, wall(ours), them, said, cpu_said, must_text, aim_text, verdict)
        )


def wall(runs: list[Run]) -> str:
    """Smallest and middle wall time, and processor time where it was measured."""
    walls = [run.wall_s for run in runs]
    cpu = min(run.cpu_s for run in runs)
    said = f" ({cpu:.2f} s CPU)" if cpu > 0 else ""
    return f"{min(walls):.2f} / {statistics.median(walls):.2f} s{said}"


def sigma(bench: Bench) -> None:
    """Twenty 24 megapixel darks, sigma clipped, against everybody."""
    paths = bench.darks(20, SIZE_24)
    with siril(bench, paths, "stack s rej s 3 3 -nonorm") as others:
        rivals = {name: (command, 3.5, 8.0) for name, command in others.items()}
        rivals["astropy"] = (peers.astropy(paths, bench.out), 7.0, 20.0)
        ccdproc = peers.ccdproc(bench.peer_python, paths, bench.out)
        if ccdproc is None:
            bench.notes.append("ccdproc is not installed: left out.")
        else:
            rivals["ccdproc (one iteration)"] = (ccdproc, 14.0, 40.0)
        bench.against("20 × 24 MP sigma clip", bench.stack(paths, *SIGMA), rivals)


def median(bench: Bench) -> None:
    """The median of the same."""
    paths = bench.darks(20, SIZE_24)
    ours = bench.stack(paths, "--combine", "median", "--reject", "none")
    with siril(bench, paths, "stack s med -nonorm") as others:
        rivals = {name: (command, 3.0, 9.0) for name, command in others.items()}
        bench.against("20 × 24 MP median", ours, rivals)


def flats(bench: Bench) -> None:
    """Twenty flats: bias subtracted, scaled, clipped."""
    folder = bench.data / "flat_20_24"
    paths = engine_frames.made_apart("flats", folder / "frames", 20, SIZE_24)
    bias = folder / "bias.fits"
    ours = bench.stack(paths, *SIGMA, "--normalize", "multiplicative", "--subtract", str(bias))
    steps = f"preprocess s -bias={bias}\nstack pp_s rej s 3 3 -norm=mul"
    with siril(bench, paths, steps) as others:
        rivals = {name: (command, 6.0, 12.0) for name, command in others.items()}
        bench.against("20 × 24 MP flats (bias, scale, clip)", ours, rivals)


def rules(bench: Bench) -> None:
    """The rules that are dear elsewhere."""
    paths = bench.darks(20, SIZE_24)
    for rule, siril_rule in (
        ("winsorized 3 3", "rej w 3 3"),
        ("linear-fit 3 3", "rej l 3 3"),
        ("esd 0.3 0.05", "rej g 0.3 0.05"),
    ):
        name, low, high = rule.split()
        ours = bench.stack(paths, "--reject", name, "--low", low, "--high", high)
        with siril(bench, paths, f"stack s {siril_rule} -nonorm") as others:
            rivals = {peer: (command, 4.0, 10.0) for peer, command in others.items()}
            bench.against(f"20 × 24 MP {name}", ours, rivals)


def large(bench: Bench) -> None:
    """Forty 61 megapixel darks."""
    paths = bench.darks(40, SIZE_61)
    with siril(bench, paths, "stack s rej s 3 3 -nonorm") as others:
        rivals = {name: (command, 6.0, 16.0) for name, command in others.items()}
        bench.against("40 × 61 MP sigma clip", bench.stack(paths, *SIGMA), rivals)
    for name, options in (
        ("40 × 61 MP median", ("--combine", "median", "--reject", "none")),
        ("40 × 61 MP automatic", ()),
    ):
        found = interleaved({OURS: bench.stack(paths, *options)}, bench.out, 1)
        bench.memory[name] = max(run.memory_mib for run in found[OURS])


def warm(bench: Bench) -> None:
    """Inside the running program, kernels loaded, against reading the bytes."""
    paths = bench.darks(20, SIZE_24)
    program = [sys.executable, str(Path(peers.__file__).with_name("engine_warm.py"))]
    told = subprocess.run(
        [*program, str(bench.out), str(bench.rounds), *map(str, paths)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    seconds = [float(word) for word in told]
    ours, reads, writes = (
        [Run(s, 0.0, 0.0) for s in seconds[i * bench.rounds : (i + 1) * bench.rounds]]
        for i in range(3)
    )
    bench.notes.append(
        "In the running program: writing a file of the result's size and flushing it to the disk "
        f"took {wall(writes)} alone; the stack does this besides reading."
    )
    work = "20 × 24 MP sigma clip, in the running program"
    many = ratios(ours, reads)
    bench.add(
        work, ours, "read", reads, many, "4.5 reads", "2 reads", 4.5, 2.0, more_is_better=False
    )


def cold(bench: Bench) -> None:
    """From the disk, against reading the bytes from it."""
    if not is_root():
        bench.notes.append("cold: not root, so that the page cache cannot be emptied. Left out.")
        return
    paths = bench.darks(40, SIZE_61)
    read = [sys.executable, "-c", peers.READ, *map(str, paths)]
    commands = {OURS: bench.stack(paths, *SIGMA), "read": read}
    found = interleaved(commands, bench.out, bench.rounds, before=drop_caches)
    many = ratios(found[OURS], found["read"])
    bench.add(
        "40 × 61 MP sigma clip, cold from disk", found[OURS], "read", found["read"], many,
        "1.5 reads", "1.05 reads", 1.5, 1.05, more_is_better=False,
    )  # fmt: skip


def frames(bench: Bench) -> None:
    """What a frame costs when there are 200 of them instead of 20."""
    many = bench.darks(200, SIZE_6)
    commands = {"200": bench.stack(many, *SIGMA), "20": bench.stack(many[:20], *SIGMA)}
    commands["1"] = bench.stack(many[:1], "--reject", "none")
    found = interleaved(commands, bench.out, bench.rounds)
    bench.memory["200 × 6 MP sigma clip"] = max(run.memory_mib for run in found["200"])
    # The start of the process is the same for all: it is taken off with the stack of one frame.
    start = found["1"]
    costs = [
        ((a.wall_s - s.wall_s) / 200) / max((b.wall_s - s.wall_s) / 20, 1e-3)
        for a, b, s in zip(found["200"], found["20"], start, strict=True)
    ]
    bench.add(
        "6 MP, cost of a frame at 200 against 20", found["200"], "at 20", found["20"], costs,
        "2.5", "1.5", 2.5, 1.5, more_is_better=False,
    )  # fmt: skip


def masters(bench: Bench) -> None:
    """Biases, darks and flats of 61 megapixels: judged, stacked, filed, their bad pixels mapped."""
    for size in (SIZE_24, SIZE_61):
        megapixels = round(size[0] * size[1] / 1e6)
        folder = bench.data / f"night_20_{size[1]}x{size[0]}"
        engine_frames.made_apart("night", folder, 20, size)
        with tempfile.TemporaryDirectory(dir=bench.data) as library:
            command = [sys.executable, "-m", "calibstudio", "masters", str(folder)]
            run = timed([*command, "--library", library])
        name = f"masters of 20 biases, darks and flats of {megapixels} MP"
        bench.memory[name] = run.memory_mib
        bench.notes.append(
            f"{name}: {run.wall_s:.0f} s ({run.cpu_s:.0f} s CPU), {run.memory_mib:.0f} MiB at most."
        )


PARTS: dict[str, Callable[[Bench], None]] = {
    "sigma": sigma,
    "median": median,
    "flats": flats,
    "rules": rules,
    "warm": warm,
    "frames": frames,
    "masters": masters,
    "large": large,
    "cold": cold,
}


@contextmanager
def siril(bench: Bench, paths: list[Path], steps: str) -> Iterator[dict[str, list[str]]]:
    """Give the command of siril by name, or nothing where it is not installed."""
    if shutil.which("siril-cli") is None:
        if "siril" not in "".join(bench.notes):
            bench.notes.append("siril is not installed: left out.")
        yield {}
        return
    with tempfile.TemporaryDirectory(dir=bench.data) as folder:
        yield {"siril": peers.siril(Path(folder), paths, steps)}


def prepare(bench: Bench) -> None:
    """Do what is done once after installation, and is not measured: compile."""
    warm_kernels()
    few = bench.darks(3, (64, 64))
    timed(bench.stack(few, *SIGMA, "--normalize", "multiplicative"))
    bench.out.unlink()
    for python in {sys.executable, bench.peer_python}:
        peers.compile_modules(python)


def report(bench: Bench) -> str:
    """Return the table in Markdown."""
    lines = [
        f"Measured on {date.today()}: {platform.processor() or platform.machine()}, "
        f"{os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}; "
        f"load {os.getloadavg()[0]:.1f} at the end, {bench.rounds} rounds. "
        "Wall time: smallest / middle; ratios of walls of one round. On a busy machine only the "
        "ratio of processor time says something.",
        "",
        "| work | CalibStudio | other | ratio | of processor time | must | aim | reached |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.work} | {one.ours} | {one.other} | {one.ratio} | {one.cpu_ratio} | {one.must} "
        f"| {one.aim} | {one.verdict} |"
        for one in bench.lines
    ]
    if bench.memory:
        most = max(bench.memory.values())
        reached = "aim" if most <= 350 else "must" if most <= 600 else "**missed**"
        work = max(bench.memory, key=lambda name: bench.memory[name])
        lines.append(
            f"| peak memory, whole process ({work}) | {most:.0f} MiB | | | | 600 MB | 350 MB "
            f"| {reached} |"
        )
    return "\n".join([*lines, "", *bench.notes])


def main() -> None:
    """Run the parts that were asked for and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", action="append", choices=PARTS, help="may be given several times")
    parser.add_argument("--data", type=Path, help="where frames are made, and kept for next time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--report", type=Path, help="Markdown file to write besides")
    parser.add_argument("--peer-python", default=sys.executable, help="Python that has ccdproc")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = (args.data or Path(temporary)).absolute()
        data.mkdir(parents=True, exist_ok=True)
        bench = Bench(data, args.rounds, args.peer_python)
        prepare(bench)
        for name in args.only or PARTS:
            print(f"# {name}", file=sys.stderr, flush=True)
            PARTS[name](bench)
        bench.out.unlink(missing_ok=True)
    text = report(bench)
    print(text)
    if args.report is not None:
        args.report.write_text(f"# Speed of stacking\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
