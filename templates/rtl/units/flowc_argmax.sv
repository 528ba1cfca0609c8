// The channel of the maximum at every position, the first of equals; PE channels per beat, BLOCKS beats a position.
// The best of a beat is found in a tree, a level per cycle.
module flowc_argmax #(
    parameter int PE = 1,
    parameter int BLOCKS = 1,
    parameter int X_BITS = 4,
    parameter int X_KIND = 0,
    parameter int OUT_BITS = 4,
    parameter int DELAY = 0
) (
    input logic clk,
    input logic rst,
    input logic [PE*X_BITS-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int VALUE = X_KIND == 1 ? X_BITS : X_BITS + 1;
  localparam int BW = BLOCKS > 1 ? $clog2(BLOCKS) : 1;
  logic enable, last;
  logic [BW-1:0] block;
  wire fire = enable && in_valid;
  assign in_ready = enable;
  flowc_count #(.COUNT(BLOCKS)) blocks (.clk, .rst, .step(fire), .value(block), .last);

  // The best of a beat, with its channel, then the best so far
  localparam int LEVELS = $clog2(PE);
  localparam int STAGES = LEVELS > 0 ? LEVELS : 1;
  logic [STAGES-1:0] valids, firsts, lasts;
  always_ff @(posedge clk)
    if (enable) begin
      firsts <= STAGES'({firsts, block == '0});
      lasts <= STAGES'({lasts, last});
    end
  always_ff @(posedge clk)
    if (rst) valids <= '0;
    else if (enable) valids <= STAGES'({valids, fire});
  for (genvar l = 0; l <= STAGES; l++) begin : g_level
    localparam int NODES = (PE + (1 << l) - 1) >> l;
    localparam int BELOW = (PE + (1 << l) / 2 - 1) >> (l > 0 ? l - 1 : 0);
    for (genvar k = 0; k < NODES; k++) begin : g_node
      logic signed [VALUE-1:0] most;
      logic [OUT_BITS-1:0] where;
      if (l == 0) begin : g_leaf
        flowc_value #(.BITS(X_BITS), .KIND(X_KIND)) decode (.element(in_data[k*X_BITS+:X_BITS]), .value(most));
        assign where = OUT_BITS'(32'(block) * PE + k);
      end else if (2 * k + 1 < BELOW) begin : g_pair
        logic earlier;
        flowc_at_least #(.A_BITS(VALUE), .B_BITS(VALUE)) compare (
            .a(g_level[l-1].g_node[2*k].most), .b(g_level[l-1].g_node[2*k+1].most), .found(earlier));
        always_ff @(posedge clk)
          if (enable) begin
            most <= earlier ? g_level[l-1].g_node[2*k].most : g_level[l-1].g_node[2*k+1].most;
            where <= earlier ? g_level[l-1].g_node[2*k].where : g_level[l-1].g_node[2*k+1].where;
          end
      end else begin : g_single
        always_ff @(posedge clk)
          if (enable) begin
            most <= g_level[l-1].g_node[2*k].most;
            where <= g_level[l-1].g_node[2*k].where;
          end
      end
    end
  end
  wire signed [VALUE-1:0] beat_best = g_level[STAGES].g_node[0].most;
  logic signed [VALUE-1:0] best;
  logic [OUT_BITS-1:0] index;
  logic index_valid, kept;
  flowc_at_least #(.A_BITS(VALUE), .B_BITS(VALUE)) compare (.a(best), .b(beat_best), .found(kept));
  always_ff @(posedge clk)
    if (enable && valids[STAGES-1] && (firsts[STAGES-1] || !kept)) begin
      best <= beat_best;
      index <= g_level[STAGES].g_node[0].where;
    end
  always_ff @(posedge clk)
    if (rst) index_valid <= 1'b0;
    else if (enable) index_valid <= valids[STAGES-1] && lasts[STAGES-1];
  flowc_emit #(.WIDTH(OUT_BITS), .DELAY(DELAY)) emit (
      .clk, .rst, .data(index), .valid(index_valid), .enable, .out_data, .out_valid, .out_ready);
endmodule
