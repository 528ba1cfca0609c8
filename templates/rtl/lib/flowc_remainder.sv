// The sum of COUNT products of numbers of BITS bits modulo 2^BITS, LATENCY cycles later: at least one, and one for every level of a tree.
module flowc_remainder #(
    parameter int COUNT = 4,
    parameter int BITS = 3,
    parameter int LATENCY = 5
) (
    input logic clk,
    input logic enable,
    input logic [COUNT*BITS-1:0] a,
    input logic [COUNT*BITS-1:0] b,
    output logic [BITS-1:0] sum
);
  localparam int LEVELS = $clog2(COUNT);
  for (genvar l = 0; l <= LEVELS; l++) begin : g_level
    localparam int NODES = (COUNT + (1 << l) - 1) >> l;
    localparam int BELOW = (COUNT + (1 << l) / 2 - 1) >> (l > 0 ? l - 1 : 0);
    for (genvar k = 0; k < NODES; k++) begin : g_node
      logic [BITS-1:0] found, value;
      if (l == 0) begin : g_product
        wire unused;
        flowc_small #(.OPERATION("multiply"), .BITS(BITS)) product (
            .a(a[k*BITS+:BITS]), .b(b[k*BITS+:BITS]), .result(found), .carry(unused));
      end else if (2 * k + 1 < BELOW) begin : g_pair
        wire unused;
        flowc_small #(.OPERATION("add"), .BITS(BITS)) pair (
            .a(g_level[l-1].g_node[2*k].value), .b(g_level[l-1].g_node[2*k+1].value), .result(found), .carry(unused));
      end else begin : g_single
        assign found = g_level[l-1].g_node[2*k].value;
      end
      always_ff @(posedge clk) if (enable) value <= found;
    end
  end
  logic [BITS-1:0] waiting[LATENCY-LEVELS];
  assign waiting[0] = g_level[LEVELS].g_node[0].value;
  for (genvar i = 1; i < LATENCY - LEVELS; i++) begin : g_wait
    always_ff @(posedge clk) if (enable) waiting[i] <= waiting[i-1];
  end
  assign sum = waiting[LATENCY-LEVELS-1];
endmodule
