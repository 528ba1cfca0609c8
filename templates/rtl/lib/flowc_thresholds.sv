// BASE + STEP * (number of thresholds reached); reached means value >= threshold. 2 cycles; where
// there are more than GROUP of them, groups are counted first, in 3.
//
// A row holds [LANES][LEVELS] signed thresholds of BITS bits.
module flowc_thresholds #(
    parameter int LANES = 1,
    parameter int ROWS = 1,
    parameter int VALUE = 8,
    parameter int OUT_BITS = 2,
    parameter bit OUT_BIPOLAR = 0,
    parameter FILE = "",
    parameter bit [95:0] STYLE = "logic",
    parameter int LEVELS = 3,
    parameter int BITS = 8,
    parameter int BASE = 0,
    parameter int STEP = 1
) (
    input logic clk,
    input logic rst,
    input logic enable,
    input logic [LANES*VALUE-1:0] values,
    input logic valid,
    output logic [LANES*OUT_BITS-1:0] results,
    output logic results_valid
);
  logic [LANES*LEVELS*BITS-1:0] row;
  flowc_rows #(.WIDTH(LANES * LEVELS * BITS), .ROWS(ROWS), .FILE(FILE), .STYLE(STYLE)) rows (
      .clk, .rst, .step(enable && valid), .row);
  localparam int GROUP = 6, GROUPS = (LEVELS + GROUP - 1) / GROUP;
  localparam int CYCLES = GROUPS > 1 ? 3 : 2;
  logic [CYCLES-1:0] valids;
  assign results_valid = valids[CYCLES-1];
  always_ff @(posedge clk)
    if (rst) valids <= '0;
    else if (enable) valids <= {valids[CYCLES-2:0], valid};
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    logic [LEVELS-1:0] reached;
    logic [OUT_BITS-1:0] result;
    for (genvar k = 0; k < LEVELS; k++) begin : g_level
      logic found;
      flowc_at_least #(.A_BITS(VALUE), .B_BITS(BITS)) compare (
          .a(values[l*VALUE+:VALUE]), .b(row[(l*LEVELS+k)*BITS+:BITS]), .found);
      always_ff @(posedge clk) if (enable) reached[k] <= found;
    end
    if (OUT_BIPOLAR) begin : g_bipolar
      always_ff @(posedge clk) if (enable) result <= reached[0];
    end else begin : g_count
      logic [2:0] counts[GROUPS];
      for (genvar g = 0; g < GROUPS; g++) begin : g_group
        localparam int OWN = LEVELS - g * GROUP < GROUP ? LEVELS - g * GROUP : GROUP;
        wire [2:0] own = 3'($countones(reached[g*GROUP+:OWN]));
        if (GROUPS > 1) begin : g_register
          always_ff @(posedge clk) if (enable) counts[g] <= own;
        end else begin : g_wire
          assign counts[g] = own;
        end
      end
      logic [OUT_BITS-1:0] count;
      always_comb begin
        count = OUT_BITS'(BASE);
        for (int g = 0; g < GROUPS; g++) count += OUT_BITS'(STEP * int'(counts[g]));
      end
      always_ff @(posedge clk) if (enable) result <= count;
    end
    assign results[l*OUT_BITS+:OUT_BITS] = result;
  end
endmodule
