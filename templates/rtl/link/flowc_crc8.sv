// The check of a block after one more byte: CRC-8 with the polynomial x^8 + x^2 + x + 1.
module flowc_crc8 (
    input logic [7:0] check,
    input logic [7:0] data,
    output logic [7:0] next
);
  always_comb begin
    next = check ^ data;
    for (int i = 0; i < 8; i++) next = {next[6:0], 1'b0} ^ (next[7] ? 8'h07 : 8'h00);
  end
endmodule
