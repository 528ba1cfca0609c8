// clip((value * factor + addend) >> SHIFT, LOW, HIGH), the shift down or, with HALF_EVEN, to nearest, ties to even. 3 cycles.
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
  logic multiplied, added;
  always_ff @(posedge clk)
    if (rst) {results_valid, added, multiplied} <= '0;
    else if (enable) {results_valid, added, multiplied} <= {added, multiplied, valid};
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    wire signed [PRODUCT-1:0] value = PRODUCT'($signed(values[l*VALUE+:VALUE]));
    wire signed [PRODUCT-1:0] factor = PRODUCT'($signed(row[l*ROW+:FACTOR]));
    logic signed [PRODUCT-1:0] product;
    logic signed [ADDEND-1:0] addend;
    logic signed [SUM-1:0] sum;
    logic [OUT_BITS-1:0] result;
    logic signed [SUM-SHIFT-1:0] level;
    if (HALF_EVEN && SHIFT > 0) begin : g_even
      // Up if the rest is above a half, or a half and the level odd.
      wire half = sum[SHIFT-1];
      logic more;
      if (SHIFT > 1) begin : g_rest
        assign more = |sum[SHIFT-2:0];
      end else begin : g_no_rest
        assign more = 1'b0;
      end
      assign level = $signed(sum[SUM-1:SHIFT]) + $signed({{(SUM - SHIFT - 1) {1'b0}}, half && (more || sum[SHIFT])});
    end else begin : g_down
      assign level = sum[SUM-1:SHIFT];
      if (SHIFT > 0) begin : g_rest
        wire unused = &{1'b0, sum[SHIFT-1:0]};
      end
    end
    always_ff @(posedge clk)
      if (enable) begin
        product <= value * factor;
        addend <= row[l*ROW+FACTOR+:ADDEND];
        sum <= SUM'(product) + SUM'(addend);
        result <= 64'(level) < LOW ? OUT_BITS'(LOW) : 64'(level) > HIGH ? OUT_BITS'(HIGH) : level[OUT_BITS-1:0];
      end
    assign results[l*OUT_BITS+:OUT_BITS] = result;
  end
endmodule
