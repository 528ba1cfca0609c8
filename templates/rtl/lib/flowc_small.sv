// Two numbers of BITS bits, 1 to 3, multiplied, added or subtracted modulo 2^BITS; carry is what a difference borrows, else 0.
//
// A result's two lower bits depend on four bits of both and are the outputs of one table of AMD's devices, which tools that look
// at one output at a time don't find: there they are asked for by name (flowc_lut).
module flowc_small #(
    parameter bit [63:0] OPERATION = "multiply",  // or add, subtract
    parameter int BITS = 3
) (
    input logic [BITS-1:0] a,
    input logic [BITS-1:0] b,
    output logic [BITS-1:0] result,
    output logic carry
);
`ifdef FLOWC_LUT6_2
  localparam bit BY_NAME = BITS > 1;
  // Bit n of the result of numbers of `width` bits, b above a in the address
  function automatic bit [63:0] column(int n, int width);
    for (int i = 0; i < 64; i++) begin
      int low = i % (1 << width), high = (i >> width) % (1 << width);
      int number = OPERATION == "multiply" ? low * high : OPERATION == "add" ? low + high : low - high;
      column[i] = number[n];
    end
  endfunction
`else
  localparam bit BY_NAME = 0;
`endif
  if (BY_NAME) begin : g_tables
`ifdef FLOWC_LUT6_2
    localparam bit [63:0] LOW = column(0, 2), NEXT = column(1, 2);
    wire [5:0] all = 6'({b, a});
    flowc_lut #(.TABLE({NEXT[31:0], LOW[31:0]})) pair (.i({2'b10, b[1:0], a[1:0]}), .o5(result[0]), .o6(result[1]));
    if (BITS == 3) begin : g_third
      wire unused;
      flowc_lut #(.TABLE(column(2, 3))) third (.i(all), .o5(unused), .o6(result[2]));
    end
    if (OPERATION == "subtract") begin : g_borrow
      wire unused;
      flowc_lut #(.TABLE(column(BITS, BITS))) borrow (.i(all), .o5(unused), .o6(carry));
    end else begin : g_none
      assign carry = 1'b0;
    end
`endif
  end else begin : g_written
    wire [BITS:0] difference = {1'b0, a} - {1'b0, b};
    assign result = OPERATION == "multiply" ? BITS'(a * b) : OPERATION == "add" ? a + b : difference[BITS-1:0];
    assign carry = OPERATION == "subtract" && difference[BITS];
  end
endmodule
