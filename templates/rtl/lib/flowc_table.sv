// A table per channel: entry value - FIRST. 3 cycles: address, memory, the register behind it. Every lane has a memory of its own, [ROWS][ENTRIES], in a file of its own:
// FILE, the lane's number in four digits, ".hex".
module flowc_table #(
    parameter int LANES = 1,
    parameter int ROWS = 1,
    parameter int VALUE = 8,
    parameter int OUT_BITS = 4,
    parameter FILE = "",
    parameter bit [95:0] STYLE = "logic",
    parameter int FIRST = 0,
    parameter int ENTRIES = 16
) (
    input logic clk,
    input logic rst,
    input logic enable,
    input logic [LANES*VALUE-1:0] values,
    input logic valid,
    output logic [LANES*OUT_BITS-1:0] results,
    output logic results_valid
);
  localparam int DEPTH = ROWS * ENTRIES;
  localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam int WIDE = (VALUE > AW ? VALUE : AW) + 2;
  logic [AW-1:0] start;  // of the row's entries
  logic addressed, read;
  always_ff @(posedge clk)
    if (rst) {results_valid, read, addressed} <= '0;
    else if (enable) {results_valid, read, addressed} <= {read, addressed, valid};
  if (ROWS > 1) begin : g_rows
    always_ff @(posedge clk)
      if (rst) start <= '0;
      else if (enable && valid) start <= start == AW'(DEPTH - ENTRIES) ? '0 : start + AW'(ENTRIES);
  end else begin : g_row
    assign start = '0;
  end
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    wire signed [WIDE-1:0] entry = WIDE'($signed(values[l*VALUE+:VALUE])) - WIDE'(FIRST) + WIDE'($signed({1'b0, start}));
    wire unused = &{1'b0, entry};
    logic [AW-1:0] at;
    logic [OUT_BITS-1:0] found, result;
    always_ff @(posedge clk)
      if (enable) begin
        at <= entry[AW-1:0];
        result <= found;
      end
    assign results[l*OUT_BITS+:OUT_BITS] = result;
    flowc_rom #(
        .WIDTH(OUT_BITS), .DEPTH(DEPTH),
        .FILE({FILE, 8'(48 + l / 1000), 8'(48 + l / 100 % 10), 8'(48 + l / 10 % 10), 8'(48 + l % 10), ".hex"}), .STYLE(STYLE)
    ) memory (.clk, .read(enable), .read_at(at), .out_data(found));
  end
endmodule
