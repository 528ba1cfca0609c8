// value * FACTOR, a constant, modulo 2^OUT. FACTOR has digits -1, 0 and 1, of which no two in a row are not zero (its non-adjacent form);
// from the lowest on, each that is not zero adds or subtracts the value, and the sum's lowest bit is the product's next.
//
// These are adders, as narrow as the value and one bit, where of a product tools would choose between tables and a DSP slice.
module flowc_constant #(
    parameter int VALUE = 8,
    parameter bit signed [63:0] FACTOR = 1,
    parameter int OUT = 16
) (
    input logic signed [VALUE-1:0] value,
    output logic signed [OUT-1:0] product
);
  // A digit is the difference of the bits of three times the factor and its own, a place higher.
  localparam bit signed [65:0] ONCE = 66'(FACTOR), THRICE = 66'(66'sd3 * 66'(FACTOR));
  for (genvar i = 0; i < OUT; i++) begin : g_place
    localparam int AT = i < 64 ? i + 1 : 65;
    logic signed [VALUE:0] upper, sum;
    if (i == 0) begin : g_first
      assign upper = '0;
    end else begin : g_next
      assign upper = g_place[i-1].sum >>> 1;
    end
    if (THRICE[AT] && !ONCE[AT]) begin : g_plus
      assign sum = upper + (VALUE + 1)'(value);
    end else if (!THRICE[AT] && ONCE[AT]) begin : g_minus
      assign sum = upper - (VALUE + 1)'(value);
    end else begin : g_zero
      assign sum = upper;
    end
    assign product[i] = sum[0];
  end
  wire unused = &{1'b0, g_place[OUT-1].sum};
endmodule
