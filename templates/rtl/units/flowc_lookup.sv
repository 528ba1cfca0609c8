// The row of a table for every index: PE entries per beat, FOLDS beats a row. An index is taken in the first cycle of its row.
// Row, address, memory and the register behind it take a cycle each.
module flowc_lookup #(
    parameter int X_BITS = 4,
    parameter int X_KIND = 0,
    parameter int FIRST = 0,
    parameter int ROWS = 16,
    parameter int FOLDS = 1,
    parameter int WIDTH = 8,
    parameter TABLE = "",
    parameter bit [95:0] STYLE = "logic",
    parameter int DELAY = 0
) (
    input logic clk,
    input logic rst,
    input logic [X_BITS-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [WIDTH-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int VALUE = X_KIND == 1 ? X_BITS : X_BITS + 1;
  localparam int FW = FOLDS > 1 ? $clog2(FOLDS) : 1, RW = ROWS > 1 ? $clog2(ROWS) : 1;
  localparam int DEPTH = ROWS * FOLDS;
  localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
  logic enable, last;
  logic [FW-1:0] fold;
  wire takes = fold == '0;
  wire fire = enable && (!takes || in_valid);
  assign in_ready = enable && takes;
  flowc_count #(.COUNT(FOLDS)) folds (.clk, .rst, .step(fire), .value(fold), .last);
  wire unused = &{1'b0, last};

  // Indices beyond the table get its first or last row.
  logic signed [VALUE-1:0] value;
  flowc_value #(.BITS(X_BITS), .KIND(X_KIND)) decode (.element(in_data), .value);
  wire signed [31:0] index = 32'(value) - FIRST;
  wire [RW-1:0] chosen = index < 0 ? '0 : index > ROWS - 1 ? RW'(ROWS - 1) : RW'(index);
  logic [RW-1:0] row;
  logic [FW-1:0] part;
  logic [AW-1:0] at;
  logic [WIDTH-1:0] found, data;
  logic [3:0] valids;
  wire valid = valids[3];
  always_ff @(posedge clk) begin
    if (fire && takes) row <= chosen;
    if (enable) begin
      part <= fold;
      at <= AW'(32'(row) * FOLDS) + AW'(part);
      data <= found;
    end
  end
  always_ff @(posedge clk)
    if (rst) valids <= '0;
    else if (enable) valids <= {valids[2:0], fire};
  flowc_rom #(.WIDTH(WIDTH), .DEPTH(DEPTH), .FILE(TABLE), .STYLE(STYLE)) rows (
      .clk, .read(enable), .read_at(at), .out_data(found));
  flowc_emit #(.WIDTH(WIDTH), .DELAY(DELAY)) emit (
      .clk, .rst, .data, .valid, .enable, .out_data, .out_valid, .out_ready);
endmodule
