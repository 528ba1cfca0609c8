// The signed value of an element on a stream. KIND: 0 unsigned, 1 two's complement, 2 bipolar (one bit, set for +1, else -1).
module flowc_value #(
    parameter int BITS = 1,
    parameter int KIND = 0,
    localparam int VALUE = KIND == 1 ? BITS : BITS + 1
) (
    input logic [BITS-1:0] element,
    output logic signed [VALUE-1:0] value
);
  if (KIND == 2) begin : g_bipolar
    assign value = {~element, 1'b1};
  end else if (KIND == 1) begin : g_signed
    assign value = element;
  end else begin : g_unsigned
    assign value = {1'b0, element};
  end
endmodule
