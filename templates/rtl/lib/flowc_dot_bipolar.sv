// A dot product of TERMS signs, 1 for +1 and 0 for -1, and elements of any kind, 1 + STAGES cycles later, on a heap (flowc_dot).
//
// -x is the complement of x and one. With elements that are -1 and +1 too, it is twice the number of equal bits, less TERMS.
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
  localparam bit [SUM-1:0] CONSTANT = KIND == 2 ? -SUM'(TERMS) : -(SUM'(TERMS) << (KIND == 1 ? BITS - 1 : BITS));
  function automatic bit [COLUMNS-1:0][31:0] heights();
    for (int c = 0; c < COLUMNS; c++) begin
      heights[c] = c < SUM && CONSTANT[c<SUM?c : 0] ? 1 : 0;
      if (KIND == 2) heights[c] += c == 1 ? TERMS : 0;
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
  logic [TOTAL-1:0] bits;
  if (KIND == 2) begin : g_both
    assign bits[start(1)+:TERMS] = ~(signs ^ x);
  end else begin : g_one
    for (genvar j = 0; j < BITS; j++) begin : g_plane
      wire [TERMS-1:0] turned = x[j*TERMS+:TERMS] ^ ~signs;
      assign bits[start(j)+:TERMS] = KIND == 1 && j == BITS - 1 ? ~turned : turned;
    end
    assign bits[start(0)+(BITS > 0 ? TERMS : 0)+:TERMS] = ~signs;
    if (KIND == 0) begin : g_sign
      assign bits[start(BITS)+:TERMS] = signs;
    end
  end
  for (genvar c = 0; c < SUM; c++) begin : g_constant
    if (CONSTANT[c]) begin : g_bit
      assign bits[start(c+1)-1] = 1'b1;
    end
  end
  flowc_heap #(.COLUMNS(COLUMNS), .SUM(SUM), .HEIGHTS(HEIGHTS), .TOTAL(TOTAL), .STAGES(STAGES)) heap (
      .clk, .enable, .bits, .sum);
endmodule
