// A dot product of TERMS weights and inputs, 1 + STAGES cycles later: products in registers, then a tree of adders.
module flowc_dot #(
    parameter int TERMS = 8,
    parameter int W_BITS = 4,
    parameter int W_KIND = 1,
    parameter int X_BITS = 4,
    parameter int X_KIND = 0,
    parameter int SUM = 16,
    parameter int STAGES = 1
) (
    input logic clk,
    input logic enable,
    input logic [TERMS*W_BITS-1:0] w,
    input logic [TERMS*X_BITS-1:0] x,
    output logic signed [SUM-1:0] sum
);
  if (W_KIND == 2 && X_KIND == 2) begin : g_binary
    flowc_dot_binary #(.TERMS(TERMS), .SUM(SUM), .STAGES(STAGES)) dot (.clk, .enable, .w, .x, .sum);
  end else begin : g_multiply
    localparam int W_VALUE = W_KIND == 1 ? W_BITS : W_BITS + 1;
    localparam int X_VALUE = X_KIND == 1 ? X_BITS : X_BITS + 1;
    localparam int PRODUCT = W_VALUE + X_VALUE;
    logic [TERMS*PRODUCT-1:0] products;
    for (genvar i = 0; i < TERMS; i++) begin : g_term
      logic signed [W_VALUE-1:0] weight;
      logic signed [X_VALUE-1:0] value;
      logic signed [PRODUCT-1:0] product;
      flowc_value #(.BITS(W_BITS), .KIND(W_KIND)) wv (.element(w[i*W_BITS+:W_BITS]), .value(weight));
      flowc_value #(.BITS(X_BITS), .KIND(X_KIND)) xv (.element(x[i*X_BITS+:X_BITS]), .value(value));
      always_ff @(posedge clk) if (enable) product <= PRODUCT'(weight) * PRODUCT'(value);
      assign products[i*PRODUCT+:PRODUCT] = product;
    end
    logic signed [PRODUCT+$clog2(TERMS)-1:0] total;
    flowc_tree #(.COUNT(TERMS), .BITS(PRODUCT), .STAGES(STAGES)) tree (.clk, .enable, .terms(products), .sum(total));
    assign sum = SUM'(total);
    wire unused = &{1'b0, total};
  end
endmodule
