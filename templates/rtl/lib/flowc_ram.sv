// A memory with a write port and a read port; a word comes the cycle after `read`. STYLE: "distributed", "block" or "ultra".
module flowc_ram #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    parameter bit [95:0] STYLE = "distributed",
    localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input logic clk,
    input logic write,
    input logic [AW-1:0] write_at,
    input logic [WIDTH-1:0] in_data,
    input logic read,
    input logic [AW-1:0] read_at,
    output logic [WIDTH-1:0] out_data
);
  if (STYLE == "block") begin : g_block
    (* ram_style = "block" *) logic [WIDTH-1:0] content[DEPTH];
    always_ff @(posedge clk) if (write) content[write_at] <= in_data;
    always_ff @(posedge clk) if (read) out_data <= content[read_at];
  end else if (STYLE == "ultra") begin : g_ultra
    (* ram_style = "ultra" *) logic [WIDTH-1:0] content[DEPTH];
    always_ff @(posedge clk) if (write) content[write_at] <= in_data;
    always_ff @(posedge clk) if (read) out_data <= content[read_at];
  end else begin : g_distributed
    (* ram_style = "distributed" *) logic [WIDTH-1:0] content[DEPTH];
    always_ff @(posedge clk) if (write) content[write_at] <= in_data;
    always_ff @(posedge clk) if (read) out_data <= content[read_at];
  end
endmodule
