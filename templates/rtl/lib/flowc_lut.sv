// A look-up table of six inputs, with a second output that is a function of the lower five: with i[5] set, o5 and o6 are the halves
// of TABLE. It is the one primitive of AMD's devices that is asked for by name, here only, and only where FLOWC_LUT6_2 is defined.
`ifdef FLOWC_LUT6_2
module flowc_lut #(
    parameter bit [63:0] TABLE = '0
) (
    input logic [5:0] i,
    output logic o5,
    output logic o6
);
  LUT6_2 #(.INIT(TABLE)) lut (.I0(i[0]), .I1(i[1]), .I2(i[2]), .I3(i[3]), .I4(i[4]), .I5(i[5]), .O5(o5), .O6(o6));
endmodule
`endif
