// Copies a stream to WAYS outputs.
module flowc_fork #(
    parameter int WIDTH = 8,
    parameter int WAYS = 2,
    parameter int DELAY = 2
) (
    input logic clk,
    input logic rst,
    input logic [WIDTH-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [WAYS*WIDTH-1:0] out_data,
    output logic [WAYS-1:0] out_valid,
    input logic [WAYS-1:0] out_ready
);
  logic [WAYS-1:0] enable;
  assign in_ready = &enable;
  for (genvar i = 0; i < WAYS; i++) begin : g_way
    flowc_emit #(.WIDTH(WIDTH), .DELAY(DELAY)) emit (
        .clk, .rst, .data(in_data), .valid(in_valid && in_ready), .enable(enable[i]),
        .out_data(out_data[i*WIDTH+:WIDTH]), .out_valid(out_valid[i]), .out_ready(out_ready[i]));
  end
endmodule
