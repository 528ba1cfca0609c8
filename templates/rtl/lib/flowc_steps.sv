// A base and the steps of the thresholds reached; reached means value >= threshold. 2 cycles; where there are more than GROUP steps,
// groups are added first, in 3.
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
  localparam int ADDED = (LEVELS + 1) * STEP_BITS;
  localparam int ROW = LEVELS * BITS + ADDED;
  localparam int SUM = STEP_BITS + OUT_BITS + $clog2(LEVELS + 1);
  logic [LANES*ROW-1:0] row;
  flowc_rows #(.WIDTH(LANES * ROW), .ROWS(ROWS), .FILE(FILE), .STYLE(STYLE)) rows (
      .clk, .rst, .step(enable && valid), .row);
  localparam int GROUP = 3, GROUPS = (LEVELS + GROUP - 1) / GROUP;
  localparam int CYCLES = GROUPS > 1 ? 3 : 2;
  logic [CYCLES-1:0] valids;
  assign results_valid = valids[CYCLES-1];
  always_ff @(posedge clk)
    if (rst) valids <= '0;
    else if (enable) valids <= {valids[CYCLES-2:0], valid};
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    logic [LEVELS-1:0] reached;
    logic [ADDED-1:0] added;  // base, steps
    logic [OUT_BITS-1:0] result;
    for (genvar k = 0; k < LEVELS; k++) begin : g_level
      logic found;
      flowc_at_least #(.A_BITS(VALUE), .B_BITS(BITS)) compare (.a(values[l*VALUE+:VALUE]), .b(row[l*ROW+k*BITS+:BITS]), .found);
      always_ff @(posedge clk) if (enable) reached[k] <= found;
    end
    always_ff @(posedge clk) if (enable) added <= row[l*ROW+LEVELS*BITS+:ADDED];
    // The base goes with the first group.
    logic signed [SUM-1:0] sums[GROUPS], sum;
    for (genvar g = 0; g < GROUPS; g++) begin : g_group
      logic signed [SUM-1:0] own;
      always_comb begin
        own = g == 0 ? SUM'($signed(added[0+:STEP_BITS])) : '0;
        for (int k = g * GROUP; k < (g + 1) * GROUP && k < LEVELS; k++)
          own += reached[k] ? SUM'($signed(added[(k+1)*STEP_BITS+:STEP_BITS])) : '0;
      end
      if (GROUPS > 1) begin : g_register
        always_ff @(posedge clk) if (enable) sums[g] <= own;
      end else begin : g_wire
        assign sums[g] = own;
      end
    end
    always_comb begin
      sum = '0;
      for (int g = 0; g < GROUPS; g++) sum += sums[g];
    end
    wire unused = &{1'b0, sum};
    always_ff @(posedge clk) if (enable) result <= OUT_BIPOLAR ? OUT_BITS'(!sum[SUM-1]) : sum[OUT_BITS-1:0];
    assign results[l*OUT_BITS+:OUT_BITS] = result;
  end
endmodule
