// value * factor + addend, 2 + INPUTS cycles later: INPUTS (0 or 1) registers in front of the product, one behind it, then the sum.
//
// Where a slice of 27 x 18 bits holds it, it is one (flowc_mac). With FLOWC_DSP18, for devices whose multipliers take 18 bits and add
// nothing, the register in front stands behind the product instead, where they have one; and of INPUTS 1, a product of wider values is
// made of two, which are added a cycle later.
module flowc_multiply_add #(
    parameter int VALUE = 8,
    parameter int FACTOR = 8,
    parameter int ADDEND = 8,
    parameter int SUM = 24,
    parameter int INPUTS = 1
) (
    input logic clk,
    input logic enable,
    input logic signed [VALUE-1:0] value,
    input logic signed [FACTOR-1:0] factor,
    input logic signed [ADDEND-1:0] addend,
    output logic signed [SUM-1:0] sum
);
  localparam int PRODUCT = VALUE + FACTOR;
  localparam int WIDER = VALUE > FACTOR ? VALUE : FACTOR;
  localparam int NARROWER = VALUE > FACTOR ? FACTOR : VALUE;
`ifdef FLOWC_DSP18
  localparam bit SPLIT = INPUTS == 1 && VALUE > 18 && FACTOR <= 18;
  localparam bit SLICE = 0;
`else
  localparam bit SPLIT = 0;
  localparam bit SLICE = WIDER <= 27 && NARROWER <= 18 && ADDEND < 48;
`endif
  logic signed [ADDEND-1:0] waiting[INPUTS+1];
  assign waiting[0] = addend;
  for (genvar i = 0; i < INPUTS; i++) begin : g_wait
    always_ff @(posedge clk) if (enable) waiting[i+1] <= waiting[i];
  end
  if (SLICE) begin : g_slice
    wire signed [WIDER-1:0] wide = VALUE > FACTOR ? WIDER'(value) : WIDER'(factor);
    wire signed [NARROWER-1:0] narrow = VALUE > FACTOR ? NARROWER'(factor) : NARROWER'(value);
    logic signed [47:0] whole;
    logic [47:0] unused_chain;
    flowc_mac #(.A_BITS(WIDER), .B_BITS(NARROWER), .C_BITS(ADDEND), .INPUTS(INPUTS), .ADDS(1)) slice (
        .clk, .enable, .a(wide), .b(narrow), .c(waiting[INPUTS]), .chain_in('0), .chain_out(unused_chain), .sum(whole));
    assign sum = SUM'(whole);
    wire unused = &{1'b0, whole, unused_chain};
  end else if (SPLIT) begin : g_split
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
        upper <= (SUM'(high) <<< CUT) + SUM'(waiting[1]);
        sum <= upper + lower;
      end
  end else begin : g_whole
    logic signed [PRODUCT-1:0] products[INPUTS+1];
    logic signed [ADDEND-1:0] added;
    always_ff @(posedge clk)
      if (enable) begin
        products[0] <= PRODUCT'(value) * PRODUCT'(factor);
        for (int i = 0; i < INPUTS; i++) products[i+1] <= products[i];
        added <= waiting[INPUTS];
        sum <= SUM'(products[INPUTS]) + SUM'(added);
      end
  end
endmodule
