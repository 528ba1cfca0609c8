// A memory of constants, from a file of hexadecimal words; a word comes the cycle after `read`. STYLE: "logic" or "block".
module flowc_rom #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    parameter FILE = "",
    parameter bit [95:0] STYLE = "logic",
    localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input logic clk,
    input logic read,
    input logic [AW-1:0] read_at,
    output logic [WIDTH-1:0] out_data
);
  if (STYLE == "block") begin : g_block
    (* rom_style = "block", ram_style = "block" *) logic [WIDTH-1:0] content[DEPTH];
    initial $readmemh(FILE, content);
    always_ff @(posedge clk) if (read) out_data <= content[read_at];
  end else begin : g_logic
    (* rom_style = "logic", ram_style = "logic" *) logic [WIDTH-1:0] content[DEPTH];
    initial $readmemh(FILE, content);
    always_ff @(posedge clk) if (read) out_data <= content[read_at];
  end
endmodule
