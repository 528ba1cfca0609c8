// clip((value * factor + addend) >> SHIFT, LOW, HIGH), the shift down or, with HALF_EVEN, to nearest, ties to even. 4 cycles.
//
// A row holds per lane a signed factor of FACTOR bits and a signed addend of ADDEND bits.
module flowc_requant #(
    parameter int LANES = 1,
    parameter int ROWS = 1,
    parameter int VALUE = 8,
    parameter int OUT_BITS = 4,
    parameter FILE = "",
    parameter bit [95:0] STYLE = "logic",
    parameter int FACTOR = 8,
    parameter int ADDEND = 8,
    parameter int SHIFT = 4,
    parameter longint LOW = 0,
    parameter longint HIGH = 15,
    parameter bit HALF_EVEN = 0
) (
    input logic clk,
    input logic rst,
    input logic enable,
    input logic [LANES*VALUE-1:0] values,
    input logic valid,
    output logic [LANES*OUT_BITS-1:0] results,
    output logic results_valid
);
  localparam int PRODUCT = VALUE + FACTOR;
  localparam int LARGER = PRODUCT > ADDEND ? PRODUCT : ADDEND;
  // Holds the sum, and the bounds after the shift.
  localparam int SUM = LARGER + 1 > SHIFT + OUT_BITS + 2 ? LARGER + 1 : SHIFT + OUT_BITS + 2;
  localparam int ROW = FACTOR + ADDEND;
  logic [LANES*ROW-1:0] row;
  flowc_rows #(.WIDTH(LANES * ROW), .ROWS(ROWS), .FILE(FILE), .STYLE(STYLE)) rows (
      .clk, .rst, .step(enable && valid), .row);
  logic [3:0] valids;
  assign results_valid = valids[3];
  always_ff @(posedge clk)
    if (rst) valids <= '0;
    else if (enable) valids <= {valids[2:0], valid};
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    wire signed [VALUE-1:0] value = values[l*VALUE+:VALUE];
    wire signed [FACTOR-1:0] factor = row[l*ROW+:FACTOR];
    wire signed [ADDEND-1:0] addend = row[l*ROW+FACTOR+:ADDEND];
    logic signed [SUM-1:0] sum;
    logic signed [SUM-SHIFT-1:0] level;
    logic [OUT_BITS-1:0] result;
    // The cycle that is saved with HALF_EVEN rounds.
    flowc_multiply_add #(.VALUE(VALUE), .FACTOR(FACTOR), .ADDEND(ADDEND), .SUM(SUM), .INPUTS(HALF_EVEN ? 0 : 1)) line (
        .clk, .enable, .value, .factor, .addend, .sum);
    if (HALF_EVEN) begin : g_even
      // Up if the rest is above a half, or a half and the level odd.
      logic up;
      if (SHIFT > 1) begin : g_rest
        assign up = sum[SHIFT-1] && (|sum[SHIFT-2:0] || sum[SHIFT]);
      end else if (SHIFT == 1) begin : g_half
        assign up = sum[0] && sum[1];
      end else begin : g_whole_number
        assign up = 1'b0;
      end
      always_ff @(posedge clk)
        if (enable) level <= $signed(sum[SUM-1:SHIFT]) + $signed({{(SUM - SHIFT - 1) {1'b0}}, up});
    end else begin : g_down
      assign level = sum[SUM-1:SHIFT];
      if (SHIFT > 0) begin : g_rest
        wire unused = &{1'b0, sum[SHIFT-1:0]};
      end
    end
    always_ff @(posedge clk)
      if (enable)
        result <= 64'(level) < LOW ? OUT_BITS'(LOW) : 64'(level) > HIGH ? OUT_BITS'(HIGH) : level[OUT_BITS-1:0];
    assign results[l*OUT_BITS+:OUT_BITS] = result;
  end
endmodule
