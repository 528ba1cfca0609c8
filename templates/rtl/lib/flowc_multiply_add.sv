// value * factor + addend, 3 cycles later: a product between registers, which a multiplier can take for its own, then the sum.
//
// With FLOWC_DSP18, for devices whose multipliers take 18 bits, a product of wider values is made of two, which are added a cycle later.
module flowc_multiply_add #(
    parameter int VALUE = 8,
    parameter int FACTOR = 8,
    parameter int ADDEND = 8,
    parameter int SUM = 24
) (
    input logic clk,
    input logic enable,
    input logic signed [VALUE-1:0] value,
    input logic signed [FACTOR-1:0] factor,
    input logic signed [ADDEND-1:0] addend,
    output logic signed [SUM-1:0] sum
);
  localparam int PRODUCT = VALUE + FACTOR;
`ifdef FLOWC_DSP18
  localparam bit SPLIT = VALUE > 18 && FACTOR <= 18;
`else
  localparam bit SPLIT = 0;
`endif
  logic signed [ADDEND-1:0] waiting;
  always_ff @(posedge clk) if (enable) waiting <= addend;
  if (SPLIT) begin : g_split
    localparam int CUT = 17;
    logic signed [CUT+FACTOR:0] low;
    logic signed [PRODUCT-CUT-1:0] high;
    logic signed [SUM-1:0] lower, upper;
    wire signed [VALUE-CUT-1:0] top = value[VALUE-1:CUT];
    always_ff @(posedge clk)
      if (enable) begin
        low <= (CUT + FACTOR + 1)'($signed({1'b0, value[CUT-1:0]})) * (CUT + FACTOR + 1)'(factor);
        high <= (PRODUCT - CUT)'(top) * (PRODUCT - CUT)'(factor);
        lower <= SUM'(low);
        upper <= (SUM'(high) <<< CUT) + SUM'(waiting);
        sum <= upper + lower;
      end
  end else begin : g_whole
    logic signed [PRODUCT-1:0] product, held;
    logic signed [ADDEND-1:0] added;
    always_ff @(posedge clk)
      if (enable) begin
        product <= PRODUCT'(value) * PRODUCT'(factor);
        held <= product;
        added <= waiting;
        sum <= SUM'(held) + SUM'(added);
      end
  end
endmodule
