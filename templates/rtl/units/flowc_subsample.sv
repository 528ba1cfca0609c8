// A window of one tap with strides: keeps every STRIDE_H-th row's every STRIDE_W-th pixel.
module flowc_subsample #(
    parameter int WIDTH = 8,
    parameter int HEIGHT = 4,
    parameter int COLUMNS = 4,
    parameter int WORDS = 1,
    parameter int STRIDE_H = 2,
    parameter int STRIDE_W = 2,
    parameter int DELAY = 2
) (
    input logic clk,
    input logic rst,
    input logic [WIDTH-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [WIDTH-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int KEPT_W = (COLUMNS - 1) / STRIDE_W + 1, KEPT_H = (HEIGHT - 1) / STRIDE_H + 1;
  logic enable, last_word, last_x, last_y, row, column;
  logic [(WORDS > 1 ? $clog2(WORDS) : 1)-1:0] word;
  wire fire = enable && in_valid;
  assign in_ready = enable;
  flowc_count #(.COUNT(WORDS)) words (.clk, .rst, .step(fire), .value(word), .last(last_word));
  flowc_grid #(.COUNT(COLUMNS), .FIRST(0), .PIXELS(KEPT_W), .STEP(STRIDE_W)) columns (
      .clk, .rst, .step(fire && last_word), .hit(column), .last(last_x));
  flowc_grid #(.COUNT(HEIGHT), .FIRST(0), .PIXELS(KEPT_H), .STEP(STRIDE_H)) rows (
      .clk, .rst, .step(fire && last_word && last_x), .hit(row), .last(last_y));
  flowc_emit #(.WIDTH(WIDTH), .DELAY(DELAY)) emit (
      .clk, .rst, .data(in_data), .valid(fire && row && column), .enable, .out_data, .out_valid, .out_ready);
  wire unused = &{1'b0, word, last_y};
endmodule
