// A dot product of TERMS weights and inputs, 1 + STAGES cycles later.
//
// STYLE "heap": the bits of all products lie on one heap, and are counted. Weights and inputs come as planes, [BITS][TERMS].
// STYLE "multiply": products, for DSP slices, in registers, then a tree of adders. Weights and inputs come as [TERMS][BITS].
module flowc_dot #(
    parameter bit [95:0] STYLE = "heap",
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
  if (STYLE == "heap" && (W_KIND == 2 || X_KIND == 2)) begin : g_bipolar
    if (W_KIND == 2) begin : g_weight
      flowc_dot_bipolar #(.TERMS(TERMS), .BITS(X_BITS), .KIND(X_KIND), .SUM(SUM), .STAGES(STAGES)) dot (
          .clk, .enable, .signs(w), .x, .sum);
    end else begin : g_input
      flowc_dot_bipolar #(.TERMS(TERMS), .BITS(W_BITS), .KIND(W_KIND), .SUM(SUM), .STAGES(STAGES)) dot (
          .clk, .enable, .signs(x), .x(w), .sum);
    end
  end else if (STYLE == "heap") begin : g_heap
    flowc_dot_integer #(
        .TERMS(TERMS), .W_BITS(W_BITS), .W_KIND(W_KIND), .X_BITS(X_BITS), .X_KIND(X_KIND), .SUM(SUM), .STAGES(STAGES)
    ) dot (.clk, .enable, .w, .x, .sum);
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
