// Frames from outside: an AXI4-Stream of whole bytes without its filling.
module flowc_input #(
    parameter int WIDTH = 8,
    parameter int DELAY = 2,
    localparam int BYTES = (WIDTH + 7) / 8
) (
    input logic clk,
    input logic rst,
    input logic [BYTES*8-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [WIDTH-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  logic enable;
  assign in_ready = enable && !rst;
  flowc_emit #(.WIDTH(WIDTH), .DELAY(DELAY)) emit (
      .clk, .rst, .data(in_data[WIDTH-1:0]), .valid(in_valid && in_ready), .enable, .out_data, .out_valid, .out_ready);
  wire unused = &{1'b0, in_data};
endmodule
