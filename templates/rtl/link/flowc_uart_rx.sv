// Bytes from a serial line: 8 data bits, no parity, a stop bit, CLOCKS clock cycles per bit.
//
// A byte is read in the middle of its bits, as counted from the edge of its start bit. `broken`: there was no stop bit.
module flowc_uart_rx #(
    parameter int CLOCKS = 8
) (
    input logic clk,
    input logic rst,
    input logic rx,
    output logic [7:0] data,
    output logic valid,
    output logic broken
);
  localparam int BITS = $clog2(CLOCKS);
  logic [2:0] line;  // the oldest last; the first one may be metastable
  logic busy;
  logic [BITS-1:0] left;  // cycles to the middle of the next bit
  logic [3:0] place;  // 0: start bit, 1 to 8: data, 9: stop bit
  wire now = busy && left == '0;
  wire stop = now && place == 4'd9;
  always_ff @(posedge clk)
    if (rst) line <= '1;
    else line <= {line[1:0], rx};
  always_ff @(posedge clk)
    if (rst) begin
      busy <= 1'b0;
      {valid, broken} <= '0;
    end else begin
      valid <= stop && line[2];
      broken <= stop && !line[2];
      if (!busy) begin
        busy <= !line[1] && line[2];
        left <= BITS'(CLOCKS / 2 - 1);
        place <= '0;
      end else if (!now) begin
        left <= left - 1'b1;
      end else begin
        left <= BITS'(CLOCKS - 1);
        place <= place + 1'b1;
        if (stop || (place == '0 && line[2])) busy <= 1'b0;
      end
    end
  always_ff @(posedge clk) if (now && place != 4'd9) data <= {line[2], data[7:1]};
endmodule
