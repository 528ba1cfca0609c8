// Every pixel FACTOR_W times, every row FACTOR_H times. A pixel has WORDS beats, a row COLUMNS pixels; a row is kept in a memory.
module flowc_upsample #(
    parameter int WIDTH = 8,
    parameter int COLUMNS = 4,
    parameter int WORDS = 1,
    parameter int FACTOR_H = 2,
    parameter int FACTOR_W = 2,
    parameter bit [95:0] STYLE = "distributed",
    parameter int DELAY = 1
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
  localparam int DEPTH = COLUMNS * WORDS;
  localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
  logic enable, last_word, last_copy, last_pixel, last_row;
  logic [(WORDS > 1 ? $clog2(WORDS) : 1)-1:0] word;
  logic [(FACTOR_W > 1 ? $clog2(FACTOR_W) : 1)-1:0] copy;
  logic [(COLUMNS > 1 ? $clog2(COLUMNS) : 1)-1:0] pixel;
  logic [(FACTOR_H > 1 ? $clog2(FACTOR_H) : 1)-1:0] row;
  logic [AW-1:0] start, at;  // of the pixel in the memory, and the word's
  wire takes = row == '0 && copy == '0;
  wire fire = enable && (!takes || in_valid);
  wire next_copy = fire && last_word;
  wire next_pixel = next_copy && last_copy;
  wire next_row = next_pixel && last_pixel;
  wire [AW-1:0] next = last_word && last_copy && last_pixel ? '0 : at + 1'b1;
  assign in_ready = enable && takes;
  flowc_count #(.COUNT(WORDS)) words (.clk, .rst, .step(fire), .value(word), .last(last_word));
  flowc_count #(.COUNT(FACTOR_W)) copies (.clk, .rst, .step(next_copy), .value(copy), .last(last_copy));
  flowc_count #(.COUNT(COLUMNS)) pixels (.clk, .rst, .step(next_pixel), .value(pixel), .last(last_pixel));
  flowc_count #(.COUNT(FACTOR_H)) rows (.clk, .rst, .step(next_row), .value(row), .last(last_row));
  wire unused = &{1'b0, word, pixel, last_row};
  always_ff @(posedge clk)
    if (rst) {start, at} <= '0;
    else if (fire) begin
      at <= last_word && !last_copy ? start : next;
      if (next_pixel) start <= next;
    end

  // Behind the memory lies a register.
  logic [WIDTH-1:0] kept, read, taken[2];
  logic [1:0] fresh, valids;
  flowc_ram #(.WIDTH(WIDTH), .DEPTH(DEPTH), .STYLE(STYLE)) memory (
      .clk, .write(fire && takes), .write_at(at), .in_data, .read(enable), .read_at(at), .out_data(read));
  always_ff @(posedge clk)
    if (enable) begin
      kept <= read;
      taken <= '{in_data, taken[0]};
      fresh <= {fresh[0], takes};
    end
  always_ff @(posedge clk)
    if (rst) valids <= '0;
    else if (enable) valids <= {valids[0], fire};
  flowc_emit #(.WIDTH(WIDTH), .DELAY(DELAY)) emit (
      .clk, .rst, .data(fresh[1] ? taken[1] : kept), .valid(valids[1]), .enable, .out_data, .out_valid, .out_ready);
endmodule
