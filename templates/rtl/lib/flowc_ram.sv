// A memory with a write port and a read port; a word comes the cycle after `read`. STYLE: "distributed", "block" or "ultra".
//
// A word that is read in the cycle in which it is written comes as it was before from a memory in look-up tables, and undefined from a
// block: units read none so. Tools are told (no_rw_check), or they put comparators and multiplexers around blocks that do not
// keep the old word. With FLOWC_STALLS, for simulation, such a word comes with its bits turned, so that whoever used it is found.
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
`ifdef FLOWC_STALLS
  wire undefined = STYLE != "distributed" && write && write_at == read_at;
`else
  wire undefined = 1'b0;
`endif
  if (STYLE == "block") begin : g_block
    (* ram_style = "block", no_rw_check *) logic [WIDTH-1:0] content[DEPTH];
    always_ff @(posedge clk) if (write) content[write_at] <= in_data;
    always_ff @(posedge clk) if (read) out_data <= content[read_at] ^ {WIDTH{undefined}};
  end else if (STYLE == "ultra") begin : g_ultra
    (* ram_style = "ultra", no_rw_check *) logic [WIDTH-1:0] content[DEPTH];
    always_ff @(posedge clk) if (write) content[write_at] <= in_data;
    always_ff @(posedge clk) if (read) out_data <= content[read_at] ^ {WIDTH{undefined}};
  end else begin : g_distributed
    (* ram_style = "distributed" *) logic [WIDTH-1:0] content[DEPTH];
    always_ff @(posedge clk) if (write) content[write_at] <= in_data;
    always_ff @(posedge clk) if (read) out_data <= content[read_at];
  end
  wire unused = undefined;
endmodule
