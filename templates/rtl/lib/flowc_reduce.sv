// The maximum or sum of COUNT signed numbers of BITS bits, which hold it, by a binary tree with STAGES registers, evenly spread over
// its levels.
module flowc_reduce #(
    parameter int COUNT = 4,
    parameter int BITS = 4,
    parameter bit MAXIMUM = 1,
    parameter int STAGES = 1,
    localparam int LEVELS = $clog2(COUNT)
) (
    input logic clk,
    input logic enable,
    input logic [COUNT*BITS-1:0] terms,
    output logic signed [BITS-1:0] result
);
  for (genvar l = 0; l <= LEVELS; l++) begin : g_level
    localparam int NODES = (COUNT + (1 << l) - 1) >> l;
    localparam int BELOW = (COUNT + (1 << l) / 2 - 1) >> (l > 0 ? l - 1 : 0);
    localparam bit REGISTERED = l > 0 && l * STAGES / (LEVELS > 0 ? LEVELS : 1) > (l - 1) * STAGES / (LEVELS > 0 ? LEVELS : 1);
    for (genvar k = 0; k < NODES; k++) begin : g_node
      logic signed [BITS-1:0] both, value;
      if (l == 0) begin : g_leaf
        assign both = terms[k*BITS+:BITS];
      end else if (2 * k + 1 < BELOW) begin : g_pair
        wire signed [BITS-1:0] a = g_level[l-1].g_node[2*k].value;
        wire signed [BITS-1:0] b = g_level[l-1].g_node[2*k+1].value;
        if (MAXIMUM) begin : g_maximum
          logic found;
          flowc_at_least #(.A_BITS(BITS), .B_BITS(BITS)) compare (.a, .b, .found);
          assign both = found ? a : b;
        end else begin : g_sum
          assign both = a + b;
        end
      end else begin : g_single
        assign both = g_level[l-1].g_node[2*k].value;
      end
      if (REGISTERED) begin : g_register
        always_ff @(posedge clk) if (enable) value <= both;
      end else begin : g_wire
        assign value = both;
      end
    end
  end
  if (STAGES == 0 || LEVELS == 0) begin : g_unclocked
    wire unused = &{1'b0, clk, enable};
  end
  assign result = g_level[LEVELS].g_node[0].value;
endmodule
