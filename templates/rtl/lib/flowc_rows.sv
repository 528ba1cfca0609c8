// Parameters that change from beat to beat: `row` is that of the current beat; with `step` the next beat's follows. ROWS of
// them, over and over, from a file of hexadecimal words.
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
    logic [AW-1:0] at;  // the row after the current one
    always_ff @(posedge clk)
      if (rst) at <= AW'(1);
      else if (step) at <= at == AW'(ROWS - 1) ? '0 : at + 1'b1;
    flowc_rom #(.WIDTH(WIDTH), .DEPTH(ROWS), .FILE(FILE), .STYLE(STYLE)) memory (
        .clk, .read(rst || step), .read_at(rst ? '0 : at), .out_data(row));
  end
endmodule
