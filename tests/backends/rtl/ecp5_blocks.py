"""Simulation models of ECP5's block RAM and multiplier, which yosys has none of: as FPGA-TN-02204 and FPGA-TN-02205 describe them.

What flowc's netlists use of them, and no more: no reset, no chip select, no cascade. A port that must be 0 and is not ends the simulation.
"""

from __future__ import annotations

from string import Template

__all__ = ["MODELS", "RENAMED"]

RENAMED = {"DP16KD": "model_memory", "MULT18X18D": "model_multiplier"}
"""Cells and the modules that model them: yosys' simulation models have empty modules of the cells' own names."""


def _bus(name: str, bits: int) -> str:
    return ", ".join(f"{name}{i}" for i in reversed(range(bits)))


_MEMORY_PORT = Template("""
  // Port $p
  wire clk_$p = CLK${p}MUX == "INV" ? !CLK$p : CLK$p;
  wire [13:0] address_$p = {$address};
  wire [17:0] given_$p = {$given};
  reg [35:0] word_$p = 0, held_$p = 0;
  always @(posedge clk_$p) begin
    if (CE$p) begin
      if (!WE$p || DATA_WIDTH_$p == 36 || WRITEMODE_$p == "READBEFOREWRITE") word_$p <= read(DATA_WIDTH_$p, address_$p);
      else if (WRITEMODE_$p == "WRITETHROUGH") word_$p <= {18'b0, given_$p};
      if (WE$p) write(DATA_WIDTH_$p, address_$p, $words);
    end
    if (OCE$p) held_$p <= word_$p;
    if (RST$p || CS${p}0 || CS${p}1 || CS${p}2) $$fatal(1, "not modelled: reset or chip select of a block RAM");
  end
  wire [35:0] out_$p = REGMODE_$p == "OUTREG" ? held_$p : word_$p;
""")

_MEMORY = Template("""
module model_memory #(
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG",
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL", parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB",
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000", parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC",
    parameter GSR = "ENABLED", parameter [319:0] $initial
) (
    input $inputs,
    output $outputs
);
  // 1024 words of 18 bits; ports narrower than 9 bits see eight of each nine.
  reg [17:0] memory[0:1023];
  function automatic [4:0] lowest(input integer width, input [13:0] address);
    case (width)
      1: lowest = {1'b0, address[3] ? 4'd9 : 4'd0} + {2'b0, address[2:0]};
      2: lowest = {1'b0, address[3] ? 4'd9 : 4'd0} + {2'b0, address[2:1], 1'b0};
      4: lowest = {1'b0, address[3] ? 4'd9 : 4'd0} + {2'b0, address[2], 2'b0};
      9: lowest = address[3] ? 5'd9 : 5'd0;
      default: lowest = 0;
    endcase
  endfunction
  function automatic [35:0] read(input integer width, input [13:0] address);
    if (width == 36) read = {memory[{address[13:5], 1'b1}], memory[{address[13:5], 1'b0}]};
    else read = (36'(memory[address[13:4]]) >> lowest(width, address)) & ((36'd1 << width) - 36'd1);
  endfunction
  // Widths of 18 and 36 have an enable for each nine bits, where narrower ones have bits of their address.
  task automatic write(input integer width, input [13:0] address, input [35:0] value);
    integer i;
    for (i = 0; i < width; i = i + 1)
      if (width < 18 || address[i / 9])
        memory[width == 36 ? {address[13:5], i >= 18} : address[13:4]][lowest(width, address) + 5'(i % 18)] <= value[i];
  endtask
  integer i;
  initial for (i = 0; i < 16; i = i + 1) begin
$contents
  end
$ports
  assign {$out_a} = DATA_WIDTH_B == 36 ? out_B[17:0] : out_A[17:0];
  assign {$out_b} = DATA_WIDTH_B == 36 ? out_B[35:18] : out_B[17:0];
endmodule
""")

_MULTIPLIER = Template("""
module model_multiplier #(
    parameter REG_INPUTA_CLK = "NONE", REG_INPUTB_CLK = "NONE", REG_INPUTC_CLK = "NONE", REG_PIPELINE_CLK = "NONE",
    parameter REG_OUTPUT_CLK = "NONE", REG_INPUTA_CE = "CE0", REG_INPUTB_CE = "CE0", REG_OUTPUT_CE = "CE0",
    parameter REG_INPUTA_RST = "RST0", REG_INPUTB_RST = "RST0", REG_OUTPUT_RST = "RST0"
) (
    input $inputs, CLK0, CE0, CE1, CE2, CE3, RST0, SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    output $outputs
);
  function automatic enabled(input [23:0] name, input [3:0] enables);
    enabled = name == "CE0" ? enables[0] : name == "CE1" ? enables[1] : name == "CE2" ? enables[2] : enables[3];
  endfunction
  wire [3:0] enables = {CE3, CE2, CE1, CE0};
  wire [17:0] a_in = {$a}, b_in = {$b};
  reg [17:0] a_held = 0, b_held = 0;
  wire [17:0] a = REG_INPUTA_CLK == "CLK0" ? a_held : a_in, b = REG_INPUTB_CLK == "CLK0" ? b_held : b_in;
  wire signed [36:0] product = $$signed({SIGNEDA & a[17], a}) * $$signed({SIGNEDB & b[17], b});
  reg [35:0] held = 0;
  always @(posedge CLK0) begin
    if (enabled(REG_INPUTA_CE, enables)) a_held <= a_in;
    if (enabled(REG_INPUTB_CE, enables)) b_held <= b_in;
    if (enabled(REG_OUTPUT_CE, enables)) held <= product[35:0];
    if (RST0) $$fatal(1, "not modelled: reset of a multiplier");
  end
  assign {$p} = REG_OUTPUT_CLK == "CLK0" ? held : product[35:0];
  initial if (REG_PIPELINE_CLK != "NONE" || SOURCEA || SOURCEB || REG_INPUTC_CLK != "NONE") $$fatal(1, "not modelled: a multiplier's use");
endmodule
""")


def _memory() -> str:
    ports = [
        _MEMORY_PORT.substitute(
            p=p, address=_bus(f"AD{p}", 14), given=_bus(f"DI{p}", 18),
            words=f"{{{_bus('DIB', 18)}, {_bus('DIA', 18)}}}" if p == "A" else "{18'b0, given_B}",
        ) for p in "AB"
    ]  # fmt: skip
    inputs = [
        f"{_bus(f'AD{p}', 14)}, {_bus(f'DI{p}', 18)}, CLK{p}, CE{p}, WE{p}, OCE{p}, RST{p}, CS{p}0, CS{p}1, CS{p}2"
        for p in "AB"
    ]
    contents = [f"    memory[{16 * row} + i] = INITVAL_{row:02X}[20 * i +: 18];" for row in range(64)]
    return _MEMORY.substitute(
        initial=", ".join(f"INITVAL_{row:02X} = 320'b0" for row in range(64)), inputs=", ".join(inputs),
        outputs=f"{_bus('DOA', 18)}, {_bus('DOB', 18)}", contents="\n".join(contents), ports="".join(ports),
        out_a=_bus("DOA", 18), out_b=_bus("DOB", 18),
    )  # fmt: skip


def _multiplier() -> str:
    a, b, p = _bus("A", 18), _bus("B", 18), _bus("P", 36)
    return _MULTIPLIER.substitute(a=a, b=b, p=p, inputs=f"{a}, {b}, {_bus('C', 18)}", outputs=p)


MODELS = _memory() + _multiplier()
"""Verilog of both."""
