// Whether a >= b, signed. With their signs exchanged the two compare as numbers without: the carry out of one chain says it, where a
// signed comparison needs one more carry behind it, which costs as much time again.
module flowc_at_least #(
    parameter int A_BITS = 8,
    parameter int B_BITS = 8
) (
    input logic signed [A_BITS-1:0] a,
    input logic signed [B_BITS-1:0] b,
    output logic found
);
  localparam int WIDE = A_BITS > B_BITS ? A_BITS : B_BITS;
  logic [WIDE-1:0] left, right;
  always_comb begin
    left = WIDE'(a);
    right = WIDE'(b);
    {left[WIDE-1], right[WIDE-1]} = {right[WIDE-1], left[WIDE-1]};
  end
  assign found = left >= right;
endmodule
