// A dot product of weights and inputs that are -1 or +1: twice the number of equal bits, less TERMS. 1 + STAGES cycles.
//
// Three bits are compared and counted by two tables each; then a tree adds the counts.
module flowc_dot_binary #(
    parameter int TERMS = 8,
    parameter int SUM = 16,
    parameter int STAGES = 1,
    localparam int GROUPS = (TERMS + 2) / 3
) (
    input logic clk,
    input logic enable,
    input logic [TERMS-1:0] w,
    input logic [TERMS-1:0] x,
    output logic signed [SUM-1:0] sum
);
  logic [GROUPS*3-1:0] counts;
  for (genvar g = 0; g < GROUPS; g++) begin : g_group
    logic [2:0] same;
    for (genvar i = 0; i < 3; i++) begin : g_bit
      if (3 * g + i < TERMS) begin : g_term
        assign same[i] = ~(w[3*g+i] ^ x[3*g+i]);
      end else begin : g_none
        assign same[i] = 1'b0;
      end
    end
    logic [1:0] count;
    always_ff @(posedge clk)
      if (enable) count <= {(same[0] & same[1]) | (same[0] & same[2]) | (same[1] & same[2]), ^same};
    assign counts[3*g+:3] = {1'b0, count};
  end
  localparam int TOTAL = 3 + $clog2(GROUPS);
  logic signed [TOTAL-1:0] total;
  flowc_tree #(.COUNT(GROUPS), .BITS(3), .STAGES(GROUPS > 1 ? STAGES : 0)) tree (
      .clk, .enable, .terms(counts), .sum(total));
  // Every value of the difference fits SUM bits, so that what the doubling loses does not count.
  wire signed [SUM-1:0] value = SUM'(total) + SUM'(total) - SUM'(TERMS);
  wire unused = &{1'b0, total};
  if (GROUPS == 1 && STAGES > 0) begin : g_delay
    logic signed [SUM-1:0] held[STAGES];
    always_ff @(posedge clk)
      if (enable) begin
        held[0] <= value;
        for (int i = 1; i < STAGES; i++) held[i] <= held[i-1];
      end
    assign sum = held[STAGES-1];
  end else begin : g_direct
    assign sum = value;
  end
endmodule
