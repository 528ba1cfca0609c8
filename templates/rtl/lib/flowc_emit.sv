// The end of a unit: DELAY registers and two places between its pipeline and its stream.
//
// `enable` moves the whole pipeline of the unit. It depends on registers only, so that no `ready` is a path through several
// units: the pipeline stands still while a beat at its end finds both places taken. With a DELAY of 0, `valid` must come
// from a register.
//
// STYLE: "registers", or, with a DELAY of 1 or more, "distributed": the last of these registers and the place where a beat waits are
// two words of a memory in look-up tables. That takes fewer tables than the choice between two registers where beats are wide. It is
// the same to the cycle.
module flowc_emit #(
    parameter int WIDTH = 8,
    parameter int DELAY = 1,
    parameter bit [95:0] STYLE = "registers"
) (
    input logic clk,
    input logic rst,
    input logic [WIDTH-1:0] data,
    input logic valid,
    output logic enable,
    output logic [WIDTH-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int HELD = STYLE == "distributed" ? DELAY - 1 : DELAY;
  logic [WIDTH-1:0] tail;
  logic tail_valid;
  if (HELD == 0) begin : g_direct
    assign tail = data;
    assign tail_valid = valid;
  end else begin : g_delayed
    logic [WIDTH-1:0] held[HELD];
    logic [HELD-1:0] marks;
    always_ff @(posedge clk)
      if (enable) begin
        held[0] <= data;
        for (int i = 1; i < HELD; i++) held[i] <= held[i-1];
      end
    always_ff @(posedge clk)
      if (rst) marks <= '0;
      else if (enable) marks <= HELD'({marks, valid});
    assign tail = held[HELD-1];
    assign tail_valid = marks[HELD-1];
  end

  wire load = !out_valid || out_ready;
  if (STYLE == "distributed") begin : g_memory
    (* ram_style = "distributed" *) logic [WIDTH-1:0] places[2];
    logic write_at, read_at, some, both;  // some: a place is taken
    wire write = enable && tail_valid;
    assign enable = !both;
    always_ff @(posedge clk) if (enable) places[write_at] <= tail;
    always_ff @(posedge clk) if (load) out_data <= places[read_at];
    always_ff @(posedge clk)
      if (rst) begin
        {write_at, read_at, some, both} <= '0;
        out_valid <= 1'b0;
      end else begin
        write_at <= write_at ^ write;
        read_at <= read_at ^ (load && some);
        some <= both || write || (some && !load);
        both <= !load && (both || (some && write));
        if (load) out_valid <= some;
      end
  end else begin : g_registers
    logic [WIDTH-1:0] spare;
    logic spare_full;
    assign enable = !(spare_full && tail_valid);
    always_ff @(posedge clk) begin
      if (!spare_full) spare <= tail;
      if (load) out_data <= spare_full ? spare : tail;
    end
    always_ff @(posedge clk)
      if (rst) begin
        out_valid <= 1'b0;
        spare_full <= 1'b0;
      end else if (load) begin
        out_valid <= spare_full || tail_valid;
        spare_full <= 1'b0;
      end else if (!spare_full) begin
        spare_full <= tail_valid;
      end
  end
endmodule
