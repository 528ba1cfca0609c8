// Parameters that change from beat to beat: `row` is that of the current beat; with `step` the next beat's follows. ROWS of
// them, over and over, from a file of hexadecimal words.
//
// The output of a block RAM has a register behind it, which the first row reaches in the second cycle after the reset: no beat comes
// as early.
module flowc_rows #(
    parameter int WIDTH = 8,
    parameter int ROWS = 1,
    parameter FILE = "",
    parameter bit [95:0] STYLE = "logic"
) (
    input logic clk,
    input logic rst,
    input logic step,
    output logic [WIDTH-1:0] row
);
  if (ROWS == 1) begin : g_constant
    logic [WIDTH-1:0] content[1];
    initial $readmemh(FILE, content);
    assign row = content[0];
    wire unused = &{1'b0, clk, rst, step};
  end else begin : g_rows
    localparam int AW = $clog2(ROWS);
    localparam int AHEAD = STYLE == "block" ? 2 : 1;  // rows between the current one and the one that is read next
    logic [AW-1:0] at;
    logic [AHEAD-1:0] begun;
    always_ff @(posedge clk) begun <= rst ? '0 : AHEAD'({begun, 1'b1});
    logic last;
    wire move = step || !begun[AHEAD-1];
    flowc_count #(.COUNT(ROWS)) places (.clk, .rst, .step(move), .value(at), .last);
    wire unused = &{1'b0, last};
    if (STYLE == "block") begin : g_block
      logic [WIDTH-1:0] next;
      flowc_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .FILE(FILE), .STYLE(STYLE)) memory (
          .clk, .read(move), .read_at(at), .out_data(next));
      always_ff @(posedge clk) if (move) row <= next;
    end else begin : g_logic
      flowc_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .FILE(FILE), .STYLE(STYLE)) memory (
          .clk, .read(move), .read_at(at), .out_data(row));
    end
  end
endmodule
