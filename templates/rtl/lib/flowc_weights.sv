// The weights of a unit, a word per cycle in which it takes one; a word comes two cycles later.
//
// STYLE: "logic" or "block": constants from a file of hexadecimal words. "ultra": a memory that is filled over the port before the
// first frame. "stream": the port brings every word when it is wanted.
module flowc_weights #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    parameter FILE = "",
    parameter bit [95:0] STYLE = "logic"
) (
    input logic clk,
    input logic rst,
    input logic enable,
    input logic take,
    output logic available,
    output logic [WIDTH-1:0] word,
    input logic [WIDTH-1:0] weights_data,
    input logic weights_valid,
    output logic weights_ready
);
  localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
  if (STYLE == "stream") begin : g_stream
    logic [WIDTH-1:0] first;
    assign available = weights_valid && !rst;
    assign weights_ready = take && !rst;
    always_ff @(posedge clk)
      if (enable) begin
        first <= weights_data;
        word <= first;
      end
  end else if (STYLE == "ultra") begin : g_filled
    logic filled, last;
    logic [AW-1:0] at;
    logic [WIDTH-1:0] first;
    wire fill = weights_valid && weights_ready;
    assign available = filled;
    assign weights_ready = !filled && !rst;
    flowc_count #(.COUNT(DEPTH)) words (.clk, .rst, .step(fill || take), .value(at), .last);
    always_ff @(posedge clk)
      if (rst) filled <= 1'b0;
      else if (fill && last) filled <= 1'b1;
    flowc_ram #(.WIDTH(WIDTH), .DEPTH(DEPTH), .STYLE("ultra")) memory (
        .clk, .write(fill), .write_at(at), .in_data(weights_data), .read(enable), .read_at(at), .out_data(first));
    always_ff @(posedge clk) if (enable) word <= first;
  end else if (DEPTH == 1) begin : g_constant
    logic [WIDTH-1:0] content[1];
    initial $readmemh(FILE, content);
    assign word = content[0];
    assign available = 1'b1;
    assign weights_ready = 1'b0;
    wire unused = &{1'b0, clk, rst, enable, take, weights_data, weights_valid};
  end else begin : g_memory
    logic last;
    logic [AW-1:0] at;
    logic [WIDTH-1:0] first;
    assign available = 1'b1;
    assign weights_ready = 1'b0;
    flowc_count #(.COUNT(DEPTH)) words (.clk, .rst, .step(take), .value(at), .last);
    flowc_rom #(.WIDTH(WIDTH), .DEPTH(DEPTH), .FILE(FILE), .STYLE(STYLE)) memory (
        .clk, .read(enable), .read_at(at), .out_data(first));
    always_ff @(posedge clk) if (enable) word <= first;
    wire unused = &{1'b0, last, weights_data, weights_valid};
  end
endmodule
