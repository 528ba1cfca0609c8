// A base and the steps of the thresholds reached; reached means value >= threshold. 2 cycles.
//
// A row holds per lane LEVELS signed thresholds of BITS bits, the base, LEVELS steps, these of STEP_BITS bits, signed.
module flowc_steps #(
    parameter int LANES = 1,
    parameter int ROWS = 1,
    parameter int VALUE = 8,
    parameter int OUT_BITS = 2,
    parameter bit OUT_BIPOLAR = 0,
    parameter FILE = "",
    parameter bit [95:0] STYLE = "logic",
    parameter int LEVELS = 3,
    parameter int BITS = 8,
    parameter int STEP_BITS = 3
) (
    input logic clk,
    input logic rst,
    input logic enable,
    input logic [LANES*VALUE-1:0] values,
    input logic valid,
    output logic [LANES*OUT_BITS-1:0] results,
    output logic results_valid
);
  localparam int WIDE = VALUE > BITS ? VALUE : BITS;
  localparam int ADDED = (LEVELS + 1) * STEP_BITS;
  localparam int ROW = LEVELS * BITS + ADDED;
  localparam int SUM = STEP_BITS + OUT_BITS + $clog2(LEVELS + 1);
  logic [LANES*ROW-1:0] row;
  flowc_rows #(.WIDTH(LANES * ROW), .ROWS(ROWS), .FILE(FILE), .STYLE(STYLE)) rows (
      .clk, .rst, .step(enable && valid), .row);
  logic compared;
  always_ff @(posedge clk)
    if (rst) {results_valid, compared} <= '0;
    else if (enable) {results_valid, compared} <= {compared, valid};
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    logic [LEVELS-1:0] reached;
    logic [ADDED-1:0] added;  // base, steps
    logic [OUT_BITS-1:0] result;
    for (genvar k = 0; k < LEVELS; k++) begin : g_level
      wire signed [WIDE-1:0] value = WIDE'($signed(values[l*VALUE+:VALUE]));
      wire signed [WIDE-1:0] threshold = WIDE'($signed(row[l*ROW+k*BITS+:BITS]));
      always_ff @(posedge clk) if (enable) reached[k] <= value >= threshold;
    end
    always_ff @(posedge clk) if (enable) added <= row[l*ROW+LEVELS*BITS+:ADDED];
    logic signed [SUM-1:0] sum;
    always_comb begin
      sum = SUM'($signed(added[0+:STEP_BITS]));
      for (int k = 0; k < LEVELS; k++)
        sum += reached[k] ? SUM'($signed(added[(k+1)*STEP_BITS+:STEP_BITS])) : '0;
    end
    wire unused = &{1'b0, sum};
    always_ff @(posedge clk) if (enable) result <= OUT_BIPOLAR ? OUT_BITS'(!sum[SUM-1]) : sum[OUT_BITS-1:0];
    assign results[l*OUT_BITS+:OUT_BITS] = result;
  end
endmodule
