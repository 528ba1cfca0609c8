// Bytes to a serial line: a start bit, 8 data bits, a stop bit, CLOCKS clock cycles per bit.
module flowc_uart_tx #(
    parameter int CLOCKS = 8
) (
    input logic clk,
    input logic rst,
    input logic [7:0] data,
    input logic valid,
    output logic ready,
    output logic tx
);
  localparam int BITS = $clog2(CLOCKS);
  logic [BITS-1:0] left;
  logic [3:0] bits;  // still to send
  logic [8:0] rest;
  assign ready = bits == '0;
  always_ff @(posedge clk)
    if (rst) begin
      tx <= 1'b1;
      bits <= '0;
    end else if (ready) begin
      tx <= !valid;
      rest <= {1'b1, data};
      left <= BITS'(CLOCKS - 1);
      if (valid) bits <= 4'd10;
    end else if (left != '0) begin
      left <= left - 1'b1;
    end else begin
      tx <= rest[0];
      rest <= {1'b1, rest[8:1]};
      left <= BITS'(CLOCKS - 1);
      bits <= bits - 1'b1;
    end
endmodule
