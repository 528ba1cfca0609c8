// The word of LENGTH steps ago: registers for a few, else a memory. What comes before the first words is undefined.
module flowc_delay #(
    parameter int WIDTH = 8,
    parameter int LENGTH = 4,
    parameter bit [95:0] STYLE = "distributed"
) (
    input logic clk,
    input logic rst,
    input logic step,
    input logic [WIDTH-1:0] in_data,
    output logic [WIDTH-1:0] out_data
);
  if (LENGTH <= 3) begin : g_registers
    logic [WIDTH-1:0] held[LENGTH];
    always_ff @(posedge clk)
      if (step) begin
        held[0] <= in_data;
        for (int i = 1; i < LENGTH; i++) held[i] <= held[i-1];
      end
    assign out_data = held[LENGTH-1];
    wire unused = &{1'b0, rst};
  end else begin : g_memory
    // A ring whose next word is fetched a step ahead; it was written RING - 1 steps before. A block RAM has a register behind it.
    localparam int RING = STYLE == "distributed" ? LENGTH : LENGTH - 1;
    localparam int AW = $clog2(RING);
    logic [AW-1:0] at, next;
    logic last;  // next is the last place
    always_ff @(posedge clk)
      if (rst) begin
        at <= '0;
        next <= AW'(1);
        last <= 1'b0;
      end else if (step) begin
        at <= next;
        next <= last ? '0 : next + 1'b1;
        last <= next == AW'(RING - 2);
      end
    logic [WIDTH-1:0] word;
    flowc_ram #(.WIDTH(WIDTH), .DEPTH(RING), .STYLE(STYLE)) memory (
        .clk, .write(step), .write_at(at), .in_data, .read(step), .read_at(next), .out_data(word));
    if (RING == LENGTH) begin : g_distributed
      assign out_data = word;
    end else begin : g_block
      always_ff @(posedge clk) if (step) out_data <= word;
    end
  end
endmodule
