"""Report files as Vitis HLS and Vivado write them, with the figures of a test in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Figures = Mapping[str, int]

_VIVADO = """Copyright 1986-2022 Xilinx, Inc. All Rights Reserved. Copyright 2022-2023 Advanced Micro Devices, Inc. All Rights Reserved.
{line}
| Tool Version : Vivado v.2023.2 (lin64) Build 4029153 Fri Oct 13 20:13:54 MDT 2023
| Date         : Fri Nov 20 10:00:00 2026
| Host         : bench running 64-bit Ubuntu 22.04
| Command      : {command}
| Design       : {design}
| Device       : {device}
| Speed File   : -1
| Design State : {state}
{line}
"""


def heading(
    command: str, *, design: str = "flowc_system_wrapper", device: str = "xc7z020clg400-1", state: str = "Routed"
) -> str:
    return _VIVADO.format(line="-" * 120, command=command, design=design, device=device, state=state)


def framed(titles: Sequence[str], rows: Iterable[Sequence[object]], indent: str = "") -> str:
    """A table in a frame; the first column to the left, as Vivado has it."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(titles), *texts]) for i in range(len(titles))]
    border = indent + "+" + "+".join("-" * (w + 2) for w in widths) + "+"
    lines = [border, indent + "|" + "|".join(f" {t:^{w}} " for t, w in zip(titles, widths, strict=True)) + "|", border]
    for row in texts:
        cells = [f" {c:<{w}} " if i < 2 else f" {c:>{w}} " for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append(indent + "|" + "|".join(cells) + "|")
    return "\n".join([*lines, border]) + "\n"


DEEP = ("Instance", "Module", "Total LUTs", "Logic LUTs", "LUTRAMs", "SRLs", "FFs", "RAMB36", "RAMB18", "DSP Blocks")


def hierarchical(rows: Iterable[tuple[int, str, str, Figures]], **said: str) -> str:
    """``report_utilization -hierarchical``: rows of (level, instance, module, figures)."""
    cells = []
    for level, name, module, of in rows:
        big, small = divmod(of["bram18"], 2)
        cells.append(("  " * level + name, module, of["lut"], of["lut"], 0, 0, of["ff"], big, small, of["dsp"]))
    text = heading("report_utilization -hierarchical -file utilization.rpt", **said)
    return (
        f"{text}\nUtilization Design Information\n\n1. Utilization by Hierarchy\n---------------------------\n\n"
        + framed(DEEP, cells)
    )


def flat(of: Figures, **said: str) -> str:
    """``report_utilization`` of an UltraScale+ device: a table per kind of site."""
    titles = ("Site Type", "Used", "Fixed", "Prohibited", "Available", "Util%")

    def rows(*entries: tuple[str, object]) -> list[tuple[object, ...]]:
        return [(name, used, 0, 0, 100000, "<0.01") for name, used in entries]

    logic = rows(
        ("CLB LUTs*", of["lut"]), ("  LUT as Logic", of["lut"]), ("CLB Registers", of["ff"]), ("  Register as Latch", 0)
    )
    memory = rows(
        ("Block RAM Tile", of["bram18"] / 2), ("  RAMB36/FIFO*", 0), ("  RAMB18", of["bram18"]), ("URAM", of["uram"])
    )
    parts = [
        framed(titles, logic),
        "\n2. BLOCKRAM\n-----------\n\n",
        framed(titles, memory),
        "\n3. ARITHMETIC\n-------------\n\n",
    ]
    return heading("report_utilization -file utilization.rpt", **said) + "\n".join(
        [*parts, framed(titles, rows(("DSPs", of["dsp"])))]
    )


_TWELVE = ("WNS(ns)", "TNS(ns)", "TNS Failing Endpoints", "TNS Total Endpoints", "WHS(ns)", "THS(ns)", "THS Failing Endpoints",
           "THS Total Endpoints", "WPWS(ns)", "TPWS(ns)", "TPWS Failing Endpoints", "TPWS Total Endpoints")  # fmt: skip


def timing(wns: float, period: float, clock: str = "clk_fpga_0", **said: str) -> str:
    """``report_timing_summary`` of a design with one busy clock and one that does nothing but toggle."""
    failing = 12 if wns < 0 else 0
    tns = -12.5 if wns < 0 else 0.0
    values = f"{wns:11.3f} {tns:12.3f} {failing:22d} {40000:20d} {0.012:12.3f} {0.0:12.3f} {0:22d} {40000:20d} {3.75:12.3f} {0.0:12.3f} {0:22d} {12000:22d}"
    titles = "    ".join(_TWELVE)
    dashes = "    ".join("-" * len(t) for t in _TWELVE)

    def section(title: str, lines: Sequence[str]) -> str:
        bar = "-" * 96
        return f"{bar}\n| {title}\n| {'-' * len(title)}\n{bar}\n\n" + "\n".join(lines) + "\n\n\n"

    return (
        heading("report_timing_summary -file timing.rpt", **said)
        + "\n"
        + section("Design Timing Summary", [f"    {titles}", f"    {dashes}", values])
        + section(
            "Clock Summary",
            [
                "Clock       Waveform(ns)       Period(ns)      Frequency(MHz)",
                "-----       ------------       ----------      --------------",
                f"{clock}  {{0.000 {period / 2:.3f}}}        {period:.3f}          {1e3 / period:.3f}",
                "idle  {0.000 2.500}        5.000          200.000",
            ],
        )
        + section(
            "Intra Clock Table",
            [f"Clock   {titles}", f"-----   {dashes}", f"{clock} {values}", f"idle {' ' * 150} 1.100 0.000 0 1"],
        )
    )


def _resources(of: Figures) -> str:
    tags = {"lut": "LUT", "ff": "FF", "bram18": "BRAM_18K", "uram": "URAM", "dsp": "DSP"}
    return "".join(
        f"<{tag}>{of[key]}</{tag}><AVAIL_{tag}>99999</AVAIL_{tag}><UTIL_{tag}>~0</UTIL_{tag}>\n"
        for key, tag in tags.items()
    )


def csynth_xml(
    top: str,
    of: Figures,
    modules: Iterable[tuple[str, str, Figures]] = (),
    *,
    interval: object = 100,
    part: str = "xc7z020-clg400-1",
) -> str:
    """``csynth.xml``; modules: (instance, module, figures) of the processes of the top function."""
    modules = list(modules)
    instances = "".join(
        f"<Instance><InstName>{i}</InstName><ModuleName>{m}</ModuleName><IsCompInst>true</IsCompInst><ID>{n}</ID></Instance>\n"
        for n, (i, m, _) in enumerate(modules)
    )
    information = "".join(
        f"""<Module><Name>{m}</Name><Loops/><PerformanceEstimates><SummaryOfTimingAnalysis><EstimatedClockPeriod>4.1</EstimatedClockPeriod>
        </SummaryOfTimingAnalysis><SummaryOfOverallLatency><PipelineInitiationInterval>64</PipelineInitiationInterval>
        <PipelineType>loop auto-rewind</PipelineType></SummaryOfOverallLatency></PerformanceEstimates>
        <AreaEstimates><Resources>{_resources(f)}</Resources></AreaEstimates></Module>\n"""
        for _, m, f in modules
    )
    return f"""<profile>
    <ReportVersion><Version>2023.2</Version></ReportVersion>
    <UserAssignments><unit>ns</unit><ProductFamily>zynq</ProductFamily><Part>{part}</Part><TopModelName>{top}</TopModelName>
    <TargetClockPeriod>10.00</TargetClockPeriod><ClockUncertainty>2.70</ClockUncertainty><FlowTarget>vivado</FlowTarget></UserAssignments>
    <PerformanceEstimates><PipelineType>dataflow</PipelineType>
    <SummaryOfTimingAnalysis><unit>ns</unit><EstimatedClockPeriod>7.300</EstimatedClockPeriod></SummaryOfTimingAnalysis>
    <SummaryOfOverallLatency><unit>clock cycles</unit><Best-caseLatency>300</Best-caseLatency><Worst-caseLatency>321</Worst-caseLatency>
    <Interval-min>{interval}</Interval-min><Interval-max>{interval}</Interval-max></SummaryOfOverallLatency></PerformanceEstimates>
    <AreaEstimates><Resources>{_resources(of)}</Resources></AreaEstimates>
    <RTLDesignHierarchy><TopModule><ModuleName>{top}</ModuleName><InstancesList>{instances}</InstancesList></TopModule></RTLDesignHierarchy>
    <ModuleInformation>{information}</ModuleInformation>
</profile>
"""


def csynth_rpt(top: str, of: Figures, modules: Iterable[tuple[str, Figures]]) -> str:
    """``csynth.rpt``: the same in the table that people read, with titles of two lines."""

    def row(level: int, sign: str, name: str, interval: object, f: Figures | None) -> list[str]:
        def used(key: str) -> str:
            return "-" if f is None or not f[key] else f"{f[key]} (~0%)"

        counts = [used(key) for key in ("bram18", "dsp", "ff", "lut", "uram")]
        return [
            " " * level + f"{sign} {name}",
            "-",
            "1.20",
            "321",
            "3.210e+03",
            "-",
            str(interval),
            "-",
            "dataflow",
            *counts,
        ]

    first = ["Modules", "Issue", "", "Latency", "Latency", "Iteration", "", "Trip", "", "", "", "", "", ""]
    second = [
        "& Loops",
        "Type",
        "Slack",
        "(cycles)",
        "(ns)",
        "Latency",
        "Interval",
        "Count",
        "Pipelined",
        "BRAM",
        "DSP",
        "FF",
        "LUT",
        "URAM",
    ]
    rows = [row(0, "+", f"{top}*", 100, of)]
    for name, f in modules:
        rows += [row(1, "+", name, 64, f), row(2, "o", "ROWS", 1, None), row(2, "+", f"{name}_Pipeline_1", 64, f)]
    widths = [max(len(r[i]) for r in [first, second, *rows]) for i in range(14)]
    border = "    +" + "+".join("-" * w for w in widths) + "+"

    def line(cells: Sequence[str]) -> str:
        return (
            "    |"
            + "|".join(
                f"{c:<{w}}" if i == 0 else f"{c:>{w}}" for i, (c, w) in enumerate(zip(cells, widths, strict=True))
            )
            + "|"
        )

    table = "\n".join([border, line(first), line(second), border, *map(line, rows), border])
    return f"""
================================================================
== Synthesis Summary Report of '{top}'
================================================================
+ General Information:
    * Date:           Tue Nov 24 22:32:14 2026
    * Version:        2022.2 (Build 3670227 on Oct 13 2022)
    * Project:        vitis_{top}
    * Solution:       solution (Vivado IP Flow Target)
    * Product family: zynq
    * Target device:  xc7z020-clg400-1

+ Performance & Resource Estimates:

    PS: '+' for module; 'o' for loop; '*' for dataflow
{table}
"""


def export_xml(of: Figures, *, run: str = "synth", reached: float = 6.25) -> str:
    """``export_syn.xml`` or ``export_impl.xml``: Vivado, run by Vitis HLS."""
    used = "".join(
        f"<{tag}>{of[key]}</{tag}>"
        for key, tag in zip(("bram18", "dsp", "ff", "lut", "uram"), ("BRAM", "DSP", "FF", "LUT", "URAM"), strict=True)
    )
    return f"""<profile>
<RunData><RUN_TYPE>{run}</RUN_TYPE><VIVADO_VERSION>v.2023.2</VIVADO_VERSION></RunData>
<TimingReport><TargetClockPeriod>10.000</TargetClockPeriod><AchievedClockPeriod>{reached}</AchievedClockPeriod><CLOCK_NAME>ap_clk</CLOCK_NAME></TimingReport>
<AreaReport><Resources>{used}<SRL>2</SRL></Resources><AvailableResources><LUT>53200</LUT></AvailableResources></AreaReport>
</profile>
"""
