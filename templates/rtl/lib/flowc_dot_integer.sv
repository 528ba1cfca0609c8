// A dot product of TERMS weights and inputs, neither -1 or +1, 1 + STAGES cycles later, on a heap. Both come as planes, [BITS][TERMS].
//
// A product of two bits is an AND. One that counts negative is complemented: -b = ~b - 1. The sum is too large by all these ones,
// which whoever adds it up takes off (flowc_accumulate).
module flowc_dot_integer #(
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
  localparam int COLUMNS = W_BITS + X_BITS - 1 < SUM ? SUM : W_BITS + X_BITS - 1;
  function automatic bit negative(int i, int j);
    return (W_KIND == 1 && i == W_BITS - 1) ^ (X_KIND == 1 && j == X_BITS - 1);
  endfunction
  // Products of bits in a column, and how many of them have a lower bit of the weight.
  function automatic int pairs(int column, int bound);
    int found = 0;
    for (int i = 0; i < W_BITS && i < bound; i++) if (column - i >= 0 && column - i < X_BITS) found++;
    return found;
  endfunction
  function automatic bit [COLUMNS-1:0][31:0] heights();
    for (int c = 0; c < COLUMNS; c++) heights[c] = TERMS * pairs(c, W_BITS);
  endfunction
  localparam bit [COLUMNS-1:0][31:0] HEIGHTS = heights();
  function automatic int start(int column);
    int at = 0;
    for (int c = 0; c < column; c++) at += int'(HEIGHTS[c]);
    return at;
  endfunction
  localparam int TOTAL = start(COLUMNS);
  function automatic bit [TOTAL-1:0] inverted();
    inverted = '0;
    for (int i = 0; i < W_BITS; i++)
      for (int j = 0; j < X_BITS; j++)
        if (negative(i, j)) for (int t = 0; t < TERMS; t++) inverted[start(i+j)+TERMS*pairs(i+j, i)+t] = 1'b1;
  endfunction
  logic [TOTAL-1:0] left, right;
  for (genvar i = 0; i < W_BITS; i++) begin : g_weight
    for (genvar j = 0; j < X_BITS; j++) begin : g_input
      localparam int AT = start(i + j) + TERMS * pairs(i + j, i);
      assign left[AT+:TERMS] = w[i*TERMS+:TERMS];
      assign right[AT+:TERMS] = x[j*TERMS+:TERMS];
    end
  end
  flowc_heap #(
      .COLUMNS(COLUMNS), .SUM(SUM), .HEIGHTS(HEIGHTS), .TOTAL(TOTAL), .INVERTED(inverted()), .STAGES(STAGES)
  ) heap (.clk, .enable, .left, .right, .sum);
endmodule
