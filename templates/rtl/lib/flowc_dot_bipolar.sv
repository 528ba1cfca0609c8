// A dot product of TERMS signs, 1 for +1 and 0 for -1, and elements of any kind, 1 + STAGES cycles later, on a heap (flowc_dot).
//
// -x is the complement of x and one. With elements that are -1 and +1 too, it is twice the number of equal bits, less TERMS. What
// is constant in it is left to whoever adds the sums up (flowc_accumulate).
module flowc_dot_bipolar #(
    parameter int TERMS = 8,
    parameter int BITS = 4,
    parameter int KIND = 0,
    parameter int SUM = 16,
    parameter int STAGES = 1
) (
    input logic clk,
    input logic enable,
    input logic [TERMS-1:0] signs,
    input logic [TERMS*BITS-1:0] x,
    output logic signed [SUM-1:0] sum
);
  // Columns of x, and one more for the sign of what is unsigned; or the column of what counts twice.
  localparam int COLUMNS = BITS + 1 < SUM ? SUM : BITS + 1;
  function automatic bit [COLUMNS-1:0][31:0] heights();
    for (int c = 0; c < COLUMNS; c++) begin
      heights[c] = 0;
      if (KIND == 2) heights[c] = c == 1 ? TERMS : 0;
      else begin
        heights[c] += c < BITS ? TERMS : 0;
        heights[c] += c == 0 ? TERMS : 0;
        heights[c] += KIND == 0 && c == BITS ? TERMS : 0;
      end
    end
  endfunction
  localparam bit [COLUMNS-1:0][31:0] HEIGHTS = heights();
  function automatic int start(int column);
    int at = 0;
    for (int c = 0; c < column; c++) at += int'(HEIGHTS[c]);
    return at;
  endfunction
  localparam int TOTAL = start(COLUMNS);
  // Signs and elements agree (XOR, complemented), or differ in the top bit of signed ones; and the signs alone.
  localparam int SIGNS = KIND == 2 ? 0 : TERMS;
  function automatic bit [TOTAL-1:0] marks(bit inverted);
    marks = '0;
    for (int j = 0; j < BITS; j++)
      for (int t = 0; t < TERMS; t++) marks[start(KIND==2?1 : j)+t] = !(inverted && KIND == 1 && j == BITS - 1);
    if (inverted) for (int t = 0; t < SIGNS; t++) marks[start(0)+TERMS+t] = 1'b1;
  endfunction
  logic [TOTAL-1:0] left, right;
  for (genvar j = 0; j < BITS; j++) begin : g_plane
    assign left[start(KIND==2?1 : j)+:TERMS] = x[j*TERMS+:TERMS];
    assign right[start(KIND==2?1 : j)+:TERMS] = signs;
  end
  if (KIND != 2) begin : g_minus
    assign left[start(0)+TERMS+:TERMS] = signs;
    assign right[start(0)+TERMS+:TERMS] = signs;
  end
  if (KIND == 0) begin : g_sign
    assign left[start(BITS)+:TERMS] = signs;
    assign right[start(BITS)+:TERMS] = signs;
  end
  flowc_heap #(
      .COLUMNS(COLUMNS), .SUM(SUM), .HEIGHTS(HEIGHTS), .TOTAL(TOTAL), .XORS(marks(0)), .INVERTED(marks(1)), .STAGES(STAGES)
  ) heap (.clk, .enable, .left, .right, .sum);
endmodule
