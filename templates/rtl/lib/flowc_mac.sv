// A multiplier between adders, as DSP slices have them: sum = (a + OFFSET) * b, with ADDS also + c, with CHAINED also + chain_in, modulo
// 2^48; a + OFFSET is a number of A_BITS, too. a and b pass through INPUTS registers (0 to 2; the last one of a holds a + OFFSET), then
// one for the product and one for the sum; c through one, then the sum's.
//
// chain_out is the sum on the way to the slice next to this one, its chain_in, and nowhere else. What is written here is for tools to
// infer slices from; where FLOWC_DSP48E2 is defined, the slice of UltraScale devices is asked for by name, up to 27 x 18 bits.
module flowc_mac #(
    parameter int A_BITS = 27,
    parameter int B_BITS = 18,
    parameter int C_BITS = 48,
    parameter bit signed [26:0] OFFSET = 0,
    parameter int INPUTS = 0,
    parameter bit CHAINED = 0,
    parameter bit ADDS = 0
) (
    input logic clk,
    input logic enable,
    input logic signed [A_BITS-1:0] a,
    input logic signed [B_BITS-1:0] b,
    input logic signed [C_BITS-1:0] c,
    input logic [47:0] chain_in,
    output logic [47:0] chain_out,
    output logic [47:0] sum
);
`ifdef FLOWC_DSP48E2
  flowc_dsp48e2 #(
      .A_BITS(A_BITS), .B_BITS(B_BITS), .C_BITS(C_BITS), .OFFSET(OFFSET), .INPUTS(INPUTS), .CHAINED(CHAINED), .ADDS(ADDS)
  ) slice (.clk, .enable, .a, .b, .c, .chain_in, .chain_out, .sum);
`else
  localparam int PRODUCT = A_BITS + B_BITS;
  logic signed [A_BITS-1:0] wide;
  logic signed [B_BITS-1:0] narrow;
  if (INPUTS == 0) begin : g_direct
    assign wide = a + A_BITS'(OFFSET);
    assign narrow = b;
  end else begin : g_inputs
    logic signed [A_BITS-1:0] a_last;
    logic signed [B_BITS-1:0] b_last;
    if (INPUTS == 1) begin : g_one
      assign a_last = a;
      assign b_last = b;
    end else begin : g_two
      always_ff @(posedge clk)
        if (enable) begin
          a_last <= a;
          b_last <= b;
        end
    end
    always_ff @(posedge clk)
      if (enable) begin
        wide <= a_last + A_BITS'(OFFSET);
        narrow <= b_last;
      end
  end
  logic signed [PRODUCT-1:0] product;
  always_ff @(posedge clk) if (enable) product <= PRODUCT'(wide) * PRODUCT'(narrow);
  logic signed [47:0] earlier, added;
  if (CHAINED) begin : g_chained
    assign earlier = chain_in;
  end else begin : g_first
    assign earlier = '0;
    wire unused = &{1'b0, chain_in};
  end
  if (ADDS) begin : g_adds
    logic signed [C_BITS-1:0] held;
    always_ff @(posedge clk) if (enable) held <= c;
    assign added = 48'(held);
  end else begin : g_plain
    assign added = '0;
    wire unused = &{1'b0, c};
  end
  always_ff @(posedge clk) if (enable) sum <= 48'(product) + earlier + added;
  assign chain_out = sum;
`endif
endmodule
