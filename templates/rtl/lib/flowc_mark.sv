// High-water mark of a FIFO that keeps at most DEPTH beats, and one more in the register in front of its memory: most beats held at
// once since reset. A beat that comes in the cycle in which another one goes counts beside it.
module flowc_mark #(
    parameter int DEPTH = 2
) (
    input logic clk,
    input logic rst,
    input logic write,
    input logic read,
    output logic [31:0] mark
);
  localparam int CW = $clog2(DEPTH + 3);
  logic [CW-1:0] held, most;
  wire [CW-1:0] now = held + CW'(write);
  assign mark = 32'(most);
  always_ff @(posedge clk)
    if (rst) begin
      held <= '0;
      most <= '0;
    end else begin
      held <= now - CW'(read);
      if (now > most) most <= now;
    end
endmodule
